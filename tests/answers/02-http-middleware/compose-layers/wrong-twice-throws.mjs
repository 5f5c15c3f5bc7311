// The second call throws instead of being rejected.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = (index, given) => {
      if (given) return Promise.reject(given);
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) return Promise.resolve(next());
      return Promise.resolve(layers[index](req, res, (error) => run(index + 1, error)));
    };
    const fail = (error) => next(error instanceof Error ? error : new Error(`a layer failed with ${error}`));
    return Promise.resolve().then(() => run(0)).catch(fail);
  };
}
