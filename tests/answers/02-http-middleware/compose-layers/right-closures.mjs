// Built from the inside for each request; every next knows by itself whether it was called.
const rejected = (message) => Promise.reject(new Error(message));

export const compose = (layers) => function composed(req, res, next) {
  const once = (go) => {
    let called = false;
    return (error) => {
      if (error) return Promise.reject(error);
      if (called) return rejected('this next was called before');
      called = true;
      return go();
    };
  };
  const leave = once(() => new Promise((resolve) => { resolve(next()); }));
  const enter = layers.reduceRight(
    (inner, layer) => once(() => new Promise((resolve) => { resolve(layer(req, res, inner)); })),
    leave,
  );
  return enter().then(null, (error) => next(error instanceof Error ? error : new Error(String(error))));
};
