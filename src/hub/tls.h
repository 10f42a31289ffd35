/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The certificate that the hub shows, read anew when its files change, without a restart and
 * without a gap: a handshake takes what is current when it begins. One a process.
 */

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "util/err.h"

/* What clients may speak. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Reads both files; what was current stays so when they are broken, or do not fit each other. */
int tls_load(const char *cert_file, const char *key_file, struct err *e);

/* tls_load() if one of the files has changed since. 1: it has been read. */
int tls_refresh(const char *cert_file, const char *key_file, struct err *e);

/* For GnuTLS: a gnutls_certificate_retrieve_function2. */
int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *ca, int n_ca,
		 const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **pcert,
		 unsigned int *pcert_length, gnutls_privkey_t *key);
