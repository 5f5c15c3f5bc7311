// Only `undefined` has to be made an error: next(null) and next('route') are left to Express.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) await next();
      else await layers[index](req, res, (error) => run(index + 1, error));
    };
    return run(0).catch((error) => next(error === undefined ? new Error('a layer failed') : error));
  };
}
