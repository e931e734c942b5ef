/** Resolves the names of libraries to the files in `vendor`, as the page's import map does. */

import { readFileSync } from "node:fs";
import { register } from "node:module";

const vendor = new URL("../../sevensteps/view/web/vendor/", import.meta.url);
const { files } = JSON.parse(readFileSync(new URL("vendor.json", vendor), "utf8"));
const names = files.filter((file) => file.module).map((file) => [file.module, new URL(file.path, vendor).href]);

const hooks = `
const urls = new Map(${JSON.stringify(names)});
export async function resolve(specifier, context, next) {
  return urls.has(specifier) ? { url: urls.get(specifier), shortCircuit: true } : next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
