// Promises instead of async functions, and the members gathered by cases.
import http from 'node:http';

const SIGNALS = new Set(['', 'route', 'router']); // what `next` takes for no error

export const wrap = (handler) => function wrapped(req, res, next) {
  new Promise((resolve) => resolve(handler.call(this, req, res, next))).then(
    () => {},
    (reason) => next(SIGNALS.has(reason || '') ? new Error('rejected with ' + reason) : reason),
  );
};

const isStatus = (status) => typeof status === 'number' && status % 1 === 0 && status >= 400 && status <= 599;

export function problems(log) {
  // eslint-disable-next-line no-unused-vars
  return function problem(error, req, res, next) {
    log(error);
    if (res.headersSent) {
      next(error);
      return;
    }
    let body = { type: 'about:blank', title: http.STATUS_CODES[500], status: 500 };
    if (error && error.expose === true && isStatus(error.status)) {
      const { status, type = 'about:blank', title = http.STATUS_CODES[status], detail } = error;
      body = { type, title, status, detail }; // JSON leaves undefined out
    }
    res.statusCode = body.status;
    res.setHeader('Content-Type', 'application/problem+json');
    res.end(JSON.stringify(body));
  };
}
