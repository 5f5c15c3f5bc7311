// How far it has come is kept once for all requests.
export function compose(layers) {
  let reached = -1;
  return (req, res, next) => {
    reached = -1;
    const run = async (index) => {
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) next();
      else await layers[index](req, res, () => run(index + 1));
    };
    run(0).catch((error) => next(error || new Error(`a layer failed with ${error}`)));
  };
}
