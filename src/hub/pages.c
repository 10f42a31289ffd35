/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/pages.h"

#include "util/html.h"

/* clang-format off */
static const char style[] =
	"<style>"
	":root{color-scheme:light dark;--ink:#1b2330;--soft:#5c6675;--line:#d9dee6;--edge:#8b95a4;--page:#eef1f5;"
	"--card:#fff;--accent:#0b6a5d;--on:#fff;--field:#fff;--bad:#a3261c;--badback:#fdeeec;"
	"--good:#0b6a5d;--goodback:#e5f4f1;--code:#f2f5f8}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e7ebf1;--soft:#9aa5b5;--line:#333d4b;--edge:#667386;"
	"--page:#11161d;--card:#1a212b;--accent:#3fb8a4;--on:#08201c;--field:#121820;--bad:#ff9c90;"
	"--badback:#3a1d1b;--good:#6fd3c2;--goodback:#12302b;--code:#121820}}"
	"*{box-sizing:border-box}"
	"body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;"
	"padding:clamp(1.25rem,7vh,5.5rem) 1rem 1.5rem;background:var(--page);color:var(--ink);"
	"font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}"
	".brand{display:flex;align-items:center;gap:.6rem;font-weight:650;font-size:1.05rem;"
	"letter-spacing:.01em;margin:0 0 1.1rem}"
	".brand svg{width:1.7rem;height:1.7rem;color:var(--accent)}"
	"main{width:100%;max-width:26rem;background:var(--card);border:1px solid var(--line);"
	"border-radius:14px;padding:1.6rem;box-shadow:0 1px 2px #0001,0 8px 24px #0000000d}"
	"h1{font-size:1.35rem;line-height:1.25;margin:0 0 .35rem;letter-spacing:-.01em}"
	"p{margin:0 0 1.1rem;color:var(--soft)}"
	"label{display:block;font-weight:600;font-size:.9rem;margin:0 0 .3rem}"
	"input{width:100%;font:inherit;color:inherit;background:var(--field);padding:.62rem .75rem;"
	"border:1px solid var(--edge);border-radius:9px;margin:0 0 1rem}"
	"input:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:1px}"
	".code{font:600 1.55rem/1.3 ui-monospace,SFMono-Regular,Menlo,\"DejaVu Sans Mono\",monospace;"
	"letter-spacing:.14em;text-align:center}"
	"input.code{text-transform:uppercase}"
	"div.code{background:var(--code);border:1px solid var(--line);border-radius:10px;"
	"padding:.7rem .2rem .7rem .34rem;margin:0 0 1.1rem}"
	"dl{margin:0 0 1.3rem;display:grid;grid-template-columns:auto 1fr;gap:.45rem 1rem}"
	"dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;font-weight:550}"
	"button{font:inherit;font-weight:650;border-radius:9px;padding:.66rem 1rem;cursor:pointer;"
	"border:1px solid transparent;background:var(--accent);color:var(--on);width:100%}"
	"button.quiet{background:transparent;color:inherit;border-color:var(--edge)}"
	".two{display:grid;grid-template-columns:1fr 1fr;gap:.7rem}"
	".note{border-radius:9px;padding:.65rem .8rem;margin:0 0 1.1rem;font-size:.95rem}"
	"h1+.note{margin-top:.8rem}"
	".bad{background:var(--badback);color:var(--bad)}.good{background:var(--goodback);color:var(--good)}"
	"footer{width:100%;max-width:26rem;display:flex;justify-content:space-between;gap:1rem;"
	"align-items:center;color:var(--soft);font-size:.9rem;padding:.9rem .3rem 0;overflow-wrap:anywhere}"
	"footer button{width:auto;background:none;border:0;padding:.2rem 0;color:inherit;"
	"text-decoration:underline;font-weight:400}"
	"</style>";

static const char brand[] =
	"<div class=\"brand\"><svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" "
	"stroke-width=\"1.8\" stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">"
	"<path d=\"M12 2.6 4 5.4v6.1c0 4.7 3.3 8.4 8 9.9 4.7-1.5 8-5.2 8-9.9V5.4z\"/>"
	"<path d=\"M7.4 12.4h2.4l1.5-3.6 2.2 6.2 1.3-2.6h1.9\"/></svg>pvewarden</div>";
/* clang-format on */

/* --- pieces --- */

static void open_page(struct html *h, const char *title)
{
	html_raw(h, "<!doctype html>");
	html_begin(h, "html");
	html_attr(h, "lang", "en");
	html_begin(h, "head");
	html_void(h, "meta");
	html_attr(h, "charset", "utf-8");
	html_void(h, "meta");
	html_attr(h, "name", "viewport");
	html_attr(h, "content", "width=device-width, initial-scale=1");
	html_void(h, "meta");
	html_attr(h, "name", "robots");
	html_attr(h, "content", "noindex");
	html_begin(h, "title");
	html_textf(h, "%s \xc2\xb7 pvewarden", title);
	html_end(h);
	html_raw(h, style);
	html_end(h);
	html_begin(h, "body");
	html_raw(h, brand);
	html_begin(h, "main");
	html_begin(h, "h1");
	html_text(h, title);
	html_end(h);
}

static void close_page(struct html *h)
{
	html_end(h); /* body */
	html_end(h); /* html */
	html_done(h);
}

static void paragraph(struct html *h, const char *class, const char *text)
{
	html_begin(h, "p");
	if (class)
		html_attr(h, "class", class);
	html_text(h, text);
	html_end(h);
}

static void problem(struct html *h, const char *text)
{
	if (!text)
		return;
	html_begin(h, "div");
	html_attr(h, "class", "note bad");
	html_attr(h, "role", "alert");
	html_text(h, text);
	html_end(h);
}

static void open_form(struct html *h, const char *method, const char *action, const char *csrf)
{
	html_begin(h, "form");
	html_attr(h, "method", method);
	html_attr(h, "action", action);
	if (!csrf)
		return;
	html_void(h, "input");
	html_attr(h, "type", "hidden");
	html_attr(h, "name", "csrf");
	html_attr(h, "value", csrf);
}

static void hidden(struct html *h, const char *name, const char *value)
{
	html_void(h, "input");
	html_attr(h, "type", "hidden");
	html_attr(h, "name", name);
	html_attr(h, "value", value);
}

static void label(struct html *h, const char *name, const char *text)
{
	html_begin(h, "label");
	html_attr(h, "for", name);
	html_text(h, text);
	html_end(h);
}

/* The caller may add attributes to it. */
static void field(struct html *h, const char *name, const char *type, const char *value,
		  const char *complete)
{
	html_void(h, "input");
	html_attr(h, "id", name);
	html_attr(h, "name", name);
	html_attr(h, "type", type);
	html_attr(h, "value", value);
	html_attr(h, "autocomplete", complete);
	html_attr(h, "required", "");
}

static void button(struct html *h, const char *class, const char *value, const char *text)
{
	html_begin(h, "button");
	if (class)
		html_attr(h, "class", class);
	html_attr(h, "name", "answer");
	html_attr(h, "value", value);
	html_text(h, text);
	html_end(h);
}

/* --- login --- */

void page_login(const struct page_login *p, struct buf *ret)
{
	struct html h = { .out = ret };

	open_page(&h, "Log in");
	paragraph(&h, NULL,
		  p->code[0] ? "Then you can approve the agent that asks."
			     : "To approve agents that want to report to this hub.");
	problem(&h, p->problem);
	open_form(&h, "post", "/login", p->csrf);
	hidden(&h, "user_code", p->code);
	label(&h, "name", "Name");
	field(&h, "name", "text", p->name, "username");
	html_attr(&h, "autocapitalize", "none");
	html_attr(&h, "spellcheck", "false");
	if (!p->name[0])
		html_attr(&h, "autofocus", "");
	label(&h, "password", "Password");
	field(&h, "password", "password", "", "current-password");
	if (p->name[0])
		html_attr(&h, "autofocus", "");
	label(&h, "org", "Organisation");
	field(&h, "org", "text", p->org, "organization");
	html_attr(&h, "autocapitalize", "none");
	html_attr(&h, "spellcheck", "false");
	button(&h, NULL, "login", "Log in");
	html_end(&h); /* form */
	html_end(&h); /* main */
	close_page(&h);
}

/* --- approval --- */

static void footer(struct html *h, const struct page_authorize *p)
{
	html_begin(h, "footer");
	html_begin(h, "span");
	html_textf(h, "%s \xc2\xb7 %s", p->user, p->org);
	html_end(h);
	open_form(h, "post", "/logout", p->csrf);
	button(h, NULL, "logout", "Log out");
	html_end(h); /* form */
	html_end(h); /* footer */
}

static void ask_code(struct html *h, const struct page_authorize *p)
{
	open_page(h, "Approve an agent");
	paragraph(h, NULL, "Type the code that the agent shows on its machine.");
	problem(h, p->problem);
	open_form(h, "get", "/agent/authorize", NULL);
	label(h, "user_code", "Code");
	field(h, "user_code", "text", p->code, "off");
	html_attr(h, "class", "code");
	html_attr(h, "maxlength", "9");
	html_attr(h, "autocapitalize", "characters");
	html_attr(h, "spellcheck", "false");
	html_attr(h, "autofocus", "");
	html_begin(h, "button");
	html_text(h, "Continue");
	html_end(h);
	html_end(h); /* form */
}

static void pair(struct html *h, const char *name, const char *value)
{
	html_begin(h, "dt");
	html_text(h, name);
	html_end(h);
	html_begin(h, "dd");
	html_text(h, value);
	html_end(h);
}

static void confirm(struct html *h, const struct page_authorize *p)
{
	open_page(h, "Let this agent report?");
	paragraph(h, NULL, "Approve only if your own machine shows exactly this code.");
	problem(h, p->problem);
	html_begin(h, "div");
	html_attr(h, "class", "code");
	html_textf(h, "%.4s-%s", p->code, p->code + 4);
	html_end(h);
	html_begin(h, "dl");
	pair(h, "Asked by", p->from);
	pair(h, "Reports to", p->org);
	html_begin(h, "dt");
	html_text(h, "Good for");
	html_end(h);
	html_begin(h, "dd");
	html_textf(h, "%lld more minute%s", (long long)p->minutes, p->minutes == 1 ? "" : "s");
	html_end(h);
	html_end(h); /* dl */
	open_form(h, "post", "/agent/authorize", p->csrf);
	hidden(h, "user_code", p->code);
	html_begin(h, "div");
	html_attr(h, "class", "two");
	button(h, "quiet", "refuse", "Refuse");
	button(h, NULL, "approve", "Approve");
	html_end(h); /* div */
	html_end(h); /* form */
}

static void way_on(struct html *h, const char *path, const char *words)
{
	open_form(h, "get", path, NULL);
	html_begin(h, "button");
	html_attr(h, "class", "quiet");
	html_text(h, words);
	html_end(h);
	html_end(h); /* form */
}

static void outcome(struct html *h, const struct page_authorize *p)
{
	bool approved = p->step == PAGE_APPROVED;

	open_page(h, approved ? "Approved" : "Refused");
	html_begin(h, "div");
	html_attr(h, "class", approved ? "note good" : "note bad");
	html_attr(h, "role", "status");
	html_text(h, approved ? "The agent registers within a few seconds."
			      : "The code is void. No agent can register with it.");
	html_end(h);
	paragraph(h, NULL,
		  approved ? "You can close this page."
			   : "If you did not start an agent, somebody else tried to.");
	way_on(h, "/agent/authorize", "Another code");
}

void page_authorize(const struct page_authorize *p, struct buf *ret)
{
	struct html h = { .out = ret };

	switch (p->step) {
	case PAGE_ASK_CODE:
		ask_code(&h, p);
		break;
	case PAGE_CONFIRM:
		confirm(&h, p);
		break;
	case PAGE_APPROVED:
	case PAGE_REFUSED:
		outcome(&h, p);
		break;
	}
	html_end(&h); /* main */
	footer(&h, p);
	close_page(&h);
}

void page_message(const char *title, const char *sentence, struct buf *ret)
{
	struct html h = { .out = ret };

	open_page(&h, title);
	paragraph(&h, "note bad", sentence);
	way_on(&h, "/login", "Try again");
	html_end(&h); /* main */
	close_page(&h);
}
