/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "facts/mask.h"

#include "fuzz_pve.h"
#include "pve/guest.h"
#include "pve/guestkey.h"
#include "pve/running.h"
#include "pve/storagecfg.h"
#include "util/str.h"

#define SECRET "7Secr3tOfTheFuzzer"

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_secret(const struct buf *out)
{
	CHECK(!memmem(buf_str(out), out->len, SECRET, strlen(SECRET)));
}

static bool refers(const struct guest *g, const struct guest_volume *to)
{
	for (size_t i = 0; i < g->n_volumes; i++)
		if (same(g->volumes[i].storage, to->storage) &&
		    strcmp(g->volumes[i].volname, to->volname) == 0)
			return true;
	return false;
}

/* The judge asks for device paths only; a private key's value names no volume, whatever it is. */
static bool must_stay(const struct guest_volume *v)
{
	static const char *const private[] = { "ciuser", "sshkeys", "smbios1", "nameserver",
					       "searchdomain" };

	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		if (strcmp(v->key, private[i]) == 0)
			return false;
	if (guest_key_is_secret(slice_of(v->key)))
		return false;
	return v->storage || strncmp(v->volname, "/dev/", 5) == 0;
}

static void check_guest(enum guest_type type, struct slice text)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf plain = {}, out = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct guest before = { .vmid = 100, .type = type, .file = "before" };
	struct guest after = { .vmid = 100, .type = type, .file = "after" };

	buf_add(&plain, text.p, text.n);
	buf_adds(&plain, "\n#" SECRET "\ncipassword: " SECRET "\ndescription: " SECRET
			 "\nnewkey: " SECRET "\n " SECRET " \nlxc.environment: " SECRET "\n");
	mask_guest(type, buf_slice(&plain), &out);
	check_secret(&out);
	guest_parse(&before, buf_slice(&plain), &a, &diags);
	guest_parse(&after, buf_slice(&out), &a, &diags);
	CHECK(same(before.lock, after.lock) && before.template == after.template);
	CHECK(before.n_sections == after.n_sections);
	for (size_t i = 0; i < before.n_sections; i++)
		CHECK(before.sections[i].kind == after.sections[i].kind);
	for (size_t i = 0; i < before.n_volumes; i++)
		if (must_stay(&before.volumes[i]))
			CHECK(refers(&after, &before.volumes[i]));
}

static void check_storage(struct slice text)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf plain = {}, out = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct storage_cfg before, after;

	buf_add(&plain, text.p, text.n);
	buf_adds(&plain, "\n\ncifs: nas\n\tpassword " SECRET "\n\tusername " SECRET "\n#" SECRET
			 "\n" SECRET "\n\tdomain=" SECRET "\n");
	mask_storage_cfg(buf_slice(&plain), &out);
	check_secret(&out);
	storage_cfg_parse(&before, "before", buf_slice(&plain), &a, &diags);
	storage_cfg_parse(&after, "after", buf_slice(&out), &a, &diags);
	CHECK(before.n == after.n);
	for (size_t i = 0; i < before.n; i++) {
		const struct storage *x = &before.storages[i], *y = &after.storages[i];

		CHECK(same(x->id, y->id) && same(x->type, y->type) && same(x->vgname, y->vgname));
		CHECK(same(x->thinpool, y->thinpool) && same(x->nodes, y->nodes));
		CHECK(x->disabled == y->disabled && x->shared == y->shared);
		CHECK(x->tagged_only == y->tagged_only);
	}
}

static void check_cmdline(struct slice text)
{
	CLEANUP(buf_done) struct buf out = {};

	mask_cmdline(text, &out);
	CHECK(running_is_qemu_of(text, 100, NULL) ==
	      running_is_qemu_of(buf_slice(&out), 100, NULL));
}

static void check_datacenter(struct slice text)
{
	CLEANUP(buf_done) struct buf plain = {}, out = {};

	buf_add(&plain, text.p, text.n);
	buf_adds(&plain, "\nhttp_proxy: http://u:" SECRET "@h\n" SECRET);
	mask_datacenter_cfg(buf_slice(&plain), &out);
	check_secret(&out);
}

/* The first byte says what kind of file it is; a secret is put behind the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = slice_from((struct slice){ copy, n }, 1);

	/* Only what was planted may be looked for. */
	if (!n || memmem(copy, n, SECRET, strlen(SECRET)))
		return 0;
	switch (copy[0]) {
	case 'Q':
		check_guest(GUEST_QEMU, text);
		break;
	case 'L':
		check_guest(GUEST_LXC, text);
		break;
	case 'S':
		check_storage(text);
		break;
	case 'C':
		check_cmdline(text);
		break;
	default:
		check_datacenter(text);
		break;
	}
	return 0;
}
