// Built from the inside for each request; every next knows by itself whether it was called.
const rejected = (message) => Promise.reject(new Error(message));

export const compose = (layers) => function composed(req, res, next) {
  const once = (go) => {
    let called = false;
    return () => {
      if (called) return rejected('this next was called before');
      called = true;
      return go();
    };
  };
  const leave = once(() => new Promise((resolve) => { next(); resolve(); }));
  const enter = layers.reduceRight(
    (inner, layer) => once(() => new Promise((resolve) => { resolve(layer(req, res, inner)); })),
    leave,
  );
  enter().then(null, (error) => next(error ?? new Error('rejected with nothing')));
};
