/** The documentation of a name as HTML. */
import assert from "node:assert/strict";
import test from "node:test";
import { inspectionHtml } from "./inspect-html.js";

/** Without colours. */
function plain(html: string): string {
  return html.replace(/<\/?span[^>]*>/g, "");
}

test("a signature is code, in colours, and nothing in it is markup", () => {
  const html = inspectionHtml('function f<T>(a: "<b>"): T', "");
  assert.equal(plain(html), "<pre><code>function f&#60;T&#62;(a: &#34;&#60;b&#62;&#34;): T</code></pre>");
  assert.match(html, /<span style="color: [^"]+">function<\/span> f/);
});

test("documentation has paragraphs, lists, examples, links and marks; what is no mark stays as it is", () => {
  const markdown =
    "The `mean<T>` of **some** numbers & *more*.\nSee [here](https://example.org/?a=1&b).\n\n- one\n- two\n\n" +
    "*@example*\n```typescript\nmean([1, 2])\n```\n\n*@param* `a` — [not](javascript:alert) 2 * 3 * 4 <script>";
  assert.equal(
    plain(inspectionHtml("x", markdown)),
    "<pre><code>x</code></pre><p>The <code>mean&#60;T&#62;</code> of <strong>some</strong> numbers &#38; <em>more</em>.\n" +
      'See <a href="https://example.org/?a=1&#38;b">here</a>.</p><ul><li>one</li><li>two</li></ul><p><em>@example</em></p>' +
      "<pre><code>mean([1, 2])</code></pre><p><em>@param</em> <code>a</code> — [not](javascript:alert) 2 * 3 * 4 &#60;script&#62;</p>",
  );
});
