// Each layer that an error passes through tells Express of it.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index) => {
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) next();
      else await Promise.resolve(layers[index](req, res, () => run(index + 1))).catch((error) => { next(error); throw error; });
    };
    run(0).catch((error) => next(error || new Error(`a layer failed with ${error}`)));
  };
}
