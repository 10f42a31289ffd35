/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/term.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "util/str.h"

static const char *const codes[] = {
	[TERM_PLAIN] = "",    [TERM_BOLD] = "1",   [TERM_DIM] = "2",   [TERM_GREEN] = "32",
	[TERM_YELLOW] = "33", [TERM_RED] = "1;31", [TERM_CYAN] = "36", [TERM_BAD] = "1;37;41",
};

bool term_wants_color(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && !(no && *no);
}

size_t term_width(void)
{
	struct winsize ws = {};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return 100;
	return ws.ws_col < 60 ? 60 : ws.ws_col;
}

bool term_utf8(void)
{
	const char *names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

void term_add(struct buf *out, bool color, enum term_style style, const char *text)
{
	char shown[4096];

	str_printable(shown, sizeof(shown), slice_of(text));
	if (color && *codes[style])
		buf_addf(out, "\033[%sm%s\033[0m", codes[style], shown);
	else
		buf_adds(out, shown);
}

void term_wrap(struct buf *out, const char *text, size_t indent, size_t width)
{
	struct slice rest = slice_of(text), word;
	size_t column = indent;
	bool first = true;

	while (slice_split(&rest, ' ', &word)) {
		CLEANUP(buf_done) struct buf copy = {};
		size_t w;

		buf_add(&copy, word.p, word.n);
		w = str_width(buf_str(&copy));
		if (!first && column + 1 + w > width) {
			buf_addf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			buf_addc(out, ' ');
			column++;
		}
		buf_adds(out, buf_str(&copy));
		column += w;
		first = false;
	}
}
