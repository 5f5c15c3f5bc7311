// Whoever has left needs no answer, so there is nothing to do. The log never hears of it.
import { STATUS_CODES } from 'node:http';

export function wrap(handler) {
  return async (req, res, next) => {
    try {
      await handler(req, res, next);
    } catch (error) {
      const signal = !error || error === 'route' || error === 'router'; // next(signal) would go on as if all were well
      next(signal ? new Error(`a handler failed with ${error}`) : error);
    }
  };
}

export function problems(log) {
  return (error, req, res, next) => {
    if (res.destroyed) return;
    log(error);
    if (res.headersSent) return next(error);
    const own = error?.expose === true && Number.isInteger(error.status) && error.status >= 400 && error.status < 600;
    const status = own ? error.status : 500;
    const told = { type: (own && error.type) || 'about:blank', title: (own && error.title) || STATUS_CODES[status], status };
    if (own && error.detail != null) told.detail = error.detail;
    res.status(status).type('application/problem+json').send(JSON.stringify(told));
  };
}
