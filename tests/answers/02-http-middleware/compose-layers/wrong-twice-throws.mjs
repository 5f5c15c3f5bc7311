// The second call throws instead of being rejected.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = (index) => {
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      return index === layers.length ? Promise.resolve(next()) : Promise.resolve(layers[index](req, res, () => run(index + 1)));
    };
    Promise.resolve().then(() => run(0)).catch((error) => next(error || new Error(`a layer failed with ${error}`)));
  };
}
