// One request in the stack at a time, so that `reached` can be shared.
export function compose(layers) {
  let last = Promise.resolve();
  return (req, res, next) => {
    let reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) await next();
      else await layers[index](req, res, (error) => run(index + 1, error));
    };
    last = last.then(() => run(0)).catch((error) => next(error instanceof Error ? error : new Error(`${error}`)));
    return last;
  };
}
