// After its layers a middleware calls Express's next, whether they did or not.
export function compose(layers) {
  return (req, res, next) => {
    let reached = -1;
    const run = async (index, given) => {
      if (given) throw given;
      if (index <= reached) throw new Error('next() called twice');
      reached = index;
      if (index < layers.length) await layers[index](req, res, (error) => run(index + 1, error));
    };
    run(0).then(() => next()).catch((error) => next(error || new Error(`a layer failed with ${error}`)));
  };
}
