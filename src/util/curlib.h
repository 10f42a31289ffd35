/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * libcurl, loaded when it is first needed: linked, it and its thirty libraries would make every
 * start of the program three times as slow, and most starts send nothing. Only util/http.c,
 * util/httpclient.c and util/smtp.c use it.
 */

#include <curl/curl.h>

#include "util/err.h"

#define CURLIB_CALLS(X)             \
	X(curl_global_init)         \
	X(curl_easy_init)           \
	X(curl_easy_setopt)         \
	X(curl_easy_perform)        \
	X(curl_easy_getinfo)        \
	X(curl_easy_strerror)       \
	X(curl_easy_reset)          \
	X(curl_easy_cleanup)        \
	X(curl_multi_init)          \
	X(curl_multi_add_handle)    \
	X(curl_multi_remove_handle) \
	X(curl_multi_perform)       \
	X(curl_multi_poll)          \
	X(curl_multi_info_read)     \
	X(curl_multi_cleanup)       \
	X(curl_slist_append)        \
	X(curl_slist_free_all)

struct curlib {
#define CURLIB_FIELD(name) __typeof__(&(name)) name;
	CURLIB_CALLS(CURLIB_FIELD)
#undef CURLIB_FIELD
};

/* NULL with a sentence when there is no libcurl.so.4. Loaded once, never unloaded. */
const struct curlib *curlib_load(struct err *e);

/* Whom @h trusts: the certificates in @ca, a file or a folder of hashed names (openssl-rehash(1)),
 * and no others; NULL: the system's. */
void curlib_trust(const struct curlib *c, CURL *h, const char *ca);

/* The macros of curl.h that check types stand in the way of a table of functions. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
