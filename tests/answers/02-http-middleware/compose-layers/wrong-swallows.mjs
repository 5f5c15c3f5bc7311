// What nobody catches is caught here, and that was that.
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
    run(0).catch(() => res.status(500).send('error'));
  };
}
