// A list of layers has a first one.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      const leave = async (error) => { if (error) throw error; await next(); };
      const inner = index === layers.length - 1 ? leave : (error) => run(index + 1, error);
      await layers[index](req, res, inner);
    };
    return run(0).catch((error) => next(error instanceof Error ? error : new Error(`a layer failed with ${error}`)));
  };
}
