// Each layer that an error passes through tells Express of it.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) await next();
      else await Promise.resolve(layers[index](req, res, (error) => run(index + 1, error))).catch((error) => { next(error); throw error; });
    };
    return run(0).catch((error) => next(error instanceof Error ? error : new Error(`a layer failed with ${error}`)));
  };
}
