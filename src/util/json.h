/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Reading JSON: jansson behind a few typed getters, so that a missing key, a wrong type and a wrong
 * range are told apart from a value. The only place that knows jansson.
 */

#include <jansson.h>

#include "util/arena.h"
#include "util/err.h"

/* Parses exactly one document of @text (depth is limited, trailing text refused). The caller owns
 * *ret (json_decref). @what names the input in the sentence. Errors: -EBADMSG. */
int json_parse(struct slice text, const char *what, json_t **ret, struct err *e);

/* The same for megabytes from a program of this machine: a repeated key is not looked for, which
 * takes a search for each key. */
int json_parse_bulk(struct slice text, const char *what, json_t **ret, struct err *e);

/* NULL when @obj is no object, has no @key, or the value is of another type. */
const char *json_str(const json_t *obj, const char *key);
json_t *json_arr(const json_t *obj, const char *key);
json_t *json_obj(const json_t *obj, const char *key);

/* Numbers, also written as strings (LVM writes all values so). False leaves *ret alone. */
bool json_u64(const json_t *obj, const char *key, uint64_t *ret);
bool json_i64(const json_t *obj, const char *key, int64_t *ret);

/* Of documents of our own, where what is missing is nothing: a number, a time (RFC 3339) in Unix
 * seconds, or 0; a text copied into @a, or NULL. */
uint64_t json_number(const json_t *obj, const char *key);
int64_t json_time(const json_t *obj, const char *key);
const char *json_text(const json_t *obj, const char *key, struct arena *a);
