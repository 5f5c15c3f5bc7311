// What nobody catches is caught here, and that was that.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index) => {
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index === layers.length) next();
      else await layers[index](req, res, () => run(index + 1));
    };
    run(0).catch(() => res.status(500).send('error'));
  };
}
