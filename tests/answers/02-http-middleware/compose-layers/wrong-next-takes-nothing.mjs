// next() goes on, whatever it is given.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index) => {
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) await next();
      else await layers[index](req, res, () => run(index + 1));
    };
    return run(0).catch((error) => next(error instanceof Error ? error : new Error(`a layer failed with ${error}`)));
  };
}
