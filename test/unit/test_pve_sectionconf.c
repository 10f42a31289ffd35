/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/sectionconf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/buf.h"
#include "util/str.h"

struct parsed {
	struct arena arena;
	struct diags diags;
	struct section_file file;
};

static void parse(struct parsed *p, struct slice text)
{
	*p = (struct parsed){};
	p->diags.arena = &p->arena;
	section_file_parse(&p->file, "storage.cfg", text, &p->arena, &p->diags);
}

static void done(struct parsed *p)
{
	diags_done(&p->diags);
	arena_done(&p->arena);
}

static bool said(const struct parsed *p, unsigned int line, const char *word)
{
	for (size_t i = 0; i < p->diags.n; i++)
		if (p->diags.items[i].line == line && strstr(p->diags.items[i].text, word) &&
		    strcmp(p->diags.items[i].file, "storage.cfg") == 0)
			return true;
	return false;
}

static void reads_sections(void **state)
{
	static const struct {
		const char *text, *expected;
		size_t diags;
	} cases[] = {
		{ "", "", 0 },
		{ "lvm: a\n\tvgname x\n", "lvm/a/1 vgname=x@2\n", 0 },
		{ "LVM:a\n  vgname  x y \t\n  shared", "lvm/a/1 vgname=x y@2 shared=@3\n", 0 },
		{ "lvm:  ab  \n\n\ndir: b\n", "lvm/ab/1\ndir/b/4\n", 0 },
		{ "a:b:c\n", "a:b/c/1\n", 0 },
		/* Comments vanish wherever they stand, and end nothing. */
		{ "# x\nlvm: a\n # y\n\tvgname x\n#z\n\tshared 1\n",
		  "lvm/a/2 vgname=x@4 shared=1@6\n", 0 },
		/* A header right behind a body line is swallowed: only an empty line ends a
		   section. */
		{ "lvm: a\n\tvgname x\nlvm: b\n\tvgname y\n", "lvm/a/1 vgname=x@2 vgname=y@4\n",
		  2 },
		/* A line of blanks is not empty. */
		{ "lvm: a\n  \n\tvgname x\n", "lvm/a/1 vgname=x@3\n", 1 },
		{ "lvm: a\r\n\tvgname x\r\n\r\nlvm: b\r\n", "lvm/a/1 vgname=x@2\n", 2 },
		{ "rubbish\n\tkey value\n\nlvm: a\n", "lvm/a/4\n", 2 },
		{ "lvm: a b\n", "", 1 },
		{ "lvm:\n", "", 1 },
		{ " lvm: a\n", "", 1 },
		{ "lvm: a\n\tvgname x\n\tvgname y\n", "lvm/a/1 vgname=x@2 vgname=y@3\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf got = {};
		struct parsed p;

		parse(&p, slice_of(cases[i].text));
		for (size_t k = 0; k < p.file.n_sections; k++) {
			const struct section *s = &p.file.sections[k];

			buf_addf(&got, "%s/%s/%u", s->type, s->id, s->line);
			for (size_t o = 0; o < s->n_options; o++)
				buf_addf(&got, " %s=%s@%u", s->options[o].key, s->options[o].value,
					 s->options[o].line);
			buf_addc(&got, '\n');
		}
		assert_string_equal(buf_str(&got), cases[i].expected);
		assert_int_equal(p.diags.n, cases[i].diags);
		done(&p);
	}
}

static void keeps_the_first_of_two_keys(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, SLICE("lvm: a\n\tvgname x\n\tb 1\n\tvgname y\n"));
	assert_string_equal(section_get(&p.file.sections[0], "vgname"), "x");
	assert_null(section_get(&p.file.sections[0], "nope"));
	assert_true(said(&p, 4, "'vgname'"));
	done(&p);
}

static void marks_the_later_of_two_sections(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, SLICE("lvm: a\n\ndir: b\n\nlvm: a\n\tvgname z\n"));
	assert_false(p.file.sections[0].duplicate);
	assert_false(p.file.sections[1].duplicate);
	assert_true(p.file.sections[2].duplicate);
	assert_true(said(&p, 5, "line 1"));
	done(&p);
}

static void says_what_it_expected(void **state)
{
	static const char text[] = "lvm: a\nx\xff\0y z\n\n\n[bad]\n";
	struct parsed p;

	(void)state;
	parse(&p, (struct slice){ text, sizeof(text) - 1 });
	assert_true(said(&p, 2, "\"x\\xff\\x00y z\": expected an indented"));
	assert_true(said(&p, 5, "\"[bad]\": expected \"type: id\""));
	done(&p);
}

static void survives_large_texts(void **state)
{
	static const char *const pieces[] = { "a:b\n\n", "a:b\n\tc d\n", "\tc d\n", "x", "\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		CLEANUP(buf_done) struct buf text = {};
		struct parsed p;

		buf_adds(&text, "dir: local\n");
		while (text.len < 1024 * 1024)
			buf_adds(&text, pieces[i]);
		parse(&p, buf_slice(&text));
		assert_true(p.file.n_sections > 0);
		done(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sections),
		cmocka_unit_test(keeps_the_first_of_two_keys),
		cmocka_unit_test(marks_the_later_of_two_sections),
		cmocka_unit_test(says_what_it_expected),
		cmocka_unit_test(survives_large_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
