// Hosts what a driver of `student.serve_node` makes: its argument names a JSON file { driver, inputs }. The driver's
// default export returns an Express app, any function (req, res), or an http.Server.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

// Not imported: an ES module's import of node:http asks for all that it exports, and so loads `fetch`, too, which takes
// longer than Node takes to start.
const { createServer } = process.getBuiltinModule('node:http');
const { driver, inputs } = JSON.parse(readFileSync(process.argv.splice(2, 1)[0], 'utf8'));
const port = Number(process.env.PORT);

// The driver imports what the student has not saved, or not exported, yet.
function missing(error) {
  const message = String(error?.message);
  const file = /^Cannot find module '(.+)' imported from (.+)$/.exec(message);
  if (error?.code === 'ERR_MODULE_NOT_FOUND' && file?.[2] === driver) return `${file[1].split('/').pop()} is not there`;
  const name = /requested module '(.+)' does not provide an export named '(.+)'/.exec(message);
  if (error?.name === 'SyntaxError' && name) return `${name[1].split('/').pop()} does not export \`${name[2]}\``;
  return '';
}

let make;
try {
  ({ default: make } = await import(pathToFileURL(driver).href));
} catch (error) {
  const nothing = missing(error);
  if (!nothing) throw error;
  console.error(`NotImplementedError: ${nothing} yet.`);
  process.exit(1);
}
const made = await make(inputs);
(typeof made?.listen === 'function' && typeof made !== 'function' ? made : createServer(made)).listen(port, '127.0.0.1');
