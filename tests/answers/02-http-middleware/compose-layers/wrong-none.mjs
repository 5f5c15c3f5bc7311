// A list of layers has a first one.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index) => {
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      const inner = index === layers.length - 1 ? async () => next() : () => run(index + 1);
      await layers[index](req, res, inner);
    };
    run(0).catch((error) => next(error || new Error(`a layer failed with ${error}`)));
  };
}
