// How far it has come is kept once for all requests.
export function compose(layers) {
  let reached = -1;
  return (req, res, next) => {
    reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) await next();
      else await layers[index](req, res, (error) => run(index + 1, error));
    };
    return run(0).catch((error) => next(error instanceof Error ? error : new Error(`a layer failed with ${error}`)));
  };
}
