// A second call of next isn't looked for.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      reached = index;
      if (index === layers.length) await next();
      else await layers[index](req, res, (error) => run(index + 1, error));
    };
    return run(0).catch((error) => next(error instanceof Error ? error : new Error(`a layer failed with ${error}`)));
  };
}
