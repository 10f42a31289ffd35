/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The process that collects: asked, answering, dying and hanging. */

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "collect_world.h"

static void take(struct collector *c, struct collect_answer *ret)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int r;

	while ((r = collector_take(c, ret)) == 0)
		assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(r, 1);
}

static void test_the_process(void **state)
{
	struct collect_answer a;
	struct collector c;
	struct world w;
	pid_t pid;

	(void)state;
	world_make(&w);
	assert_int_equal(collector_start(&c, &w.tree.root, NULL), 0);
	assert_int_equal(collector_ask(&c, &w.ask), 0);
	assert_int_equal(collector_ask(&c, &w.ask), -EBUSY);
	take(&c, &a);
	assert_int_equal(a.error, 0);
	assert_string_equal(a.node, "pve1");
	assert_int_equal(a.guests, 3);
	assert_int_equal(json_parse(buf_slice(&a.document), "document", &w.doc, NULL), 0);
	assert_int_equal(json_parse(buf_slice(&a.posts), "posts", &w.posts, NULL), 0);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 3);
	collect_answer_done(&a);
	world_forget(&w);
	/* It remembers. */
	w.ask.nanny = false;
	assert_int_equal(collector_ask(&c, &w.ask), 0);
	take(&c, &a);
	assert_int_equal(json_parse(buf_slice(&a.document), "document", &w.doc, NULL), 0);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 0);
	assert_int_equal(a.posts.len, 0);
	collect_answer_done(&a);
	pid = c.pid;
	assert_false(collector_stop(&c, &pid));
	assert_int_equal(c.pid, 0);
	assert_int_equal(collector_ask(&c, &w.ask), -EPIPE);
	assert_int_equal(kill(pid, 0), -1);
	world_done(&w);
}

static void test_a_process_that_dies_and_one_that_hangs(void **state)
{
	struct collect_answer a;
	struct pollfd p = { .events = POLLIN };
	struct collector c;
	struct world w;

	(void)state;
	world_make(&w);
	assert_int_equal(collector_start(&c, &w.tree.root, NULL), 0);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	p.fd = c.fd;
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(collector_take(&c, &a), -EPIPE);
	assert_false(collector_stop(&c, NULL));

	assert_int_equal(collector_start(&c, &w.tree.root, NULL), 0);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	assert_int_equal(collector_ask(&c, &w.ask), 0);
	assert_int_equal(collector_take(&c, &a), 0);
	assert_int_equal(collector_ask(&c, &w.ask), -EBUSY);
	assert_false(collector_stop(&c, NULL));
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_process),
		cmocka_unit_test(test_a_process_that_dies_and_one_that_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
