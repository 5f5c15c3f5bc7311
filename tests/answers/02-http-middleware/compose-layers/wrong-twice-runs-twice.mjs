// A second call of next isn't looked for.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index) => {
      reached = index;
      if (index === layers.length) next();
      else await layers[index](req, res, () => run(index + 1));
    };
    run(0).catch((error) => next(error || new Error(`a layer failed with ${error}`)));
  };
}
