// The way out begins when the answer is out, also for what comes after the composed layers.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) { next(); await new Promise((done) => res.on('finish', done)); }
      else await layers[index](req, res, (error) => run(index + 1, error));
    };
    return run(0).catch((error) => next(error instanceof Error ? error : new Error(`a layer failed with ${error}`)));
  };
}
