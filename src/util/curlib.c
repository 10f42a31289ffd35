/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/curlib.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

static bool find_all(void *library, struct curlib *ret)
{
#define CURLIB_FIND(name)                             \
	*(void **)&ret->name = dlsym(library, #name); \
	if (!ret->name)                               \
		return false;
	CURLIB_CALLS(CURLIB_FIND)
#undef CURLIB_FIND
	return true;
}

static const struct curlib *load(struct err *e)
{
	static struct curlib calls;
	static bool loaded;
	void *library;

	if (loaded)
		return &calls;
	/* Lazily: of it and of the twenty libraries that it brings few functions are ever called.
	 */
	library = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
	if (!library || !find_all(library, &calls) ||
	    calls.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		(void)err_set(e, -ENOENT, "libcurl cannot be loaded (package libcurl4): %s",
			      dlerror() ? "it is not installed, or too old" : "it does not start");
		return NULL;
	}
	loaded = true;
	return &calls;
}

const struct curlib *curlib_load(struct err *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const struct curlib *c;

	(void)pthread_mutex_lock(&lock);
	c = load(e);
	(void)pthread_mutex_unlock(&lock);
	return c;
}
