// A second call is only noticed while the first is under way.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index) => {
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) next();
      else await layers[index](req, res, () => run(index + 1)).finally(() => { reached = index - 1; });
    };
    run(0).catch((error) => next(error || new Error(`a layer failed with ${error}`)));
  };
}
