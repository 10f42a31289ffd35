/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "util/file.h"

enum { CHAIN_MAX = 8, FILE_MAX = 256 * 1024 };

/* A certificate with its key. Old ones are kept: a handshake may still use them, and there is one a
 * renewal. */
struct pair {
	struct pair *older;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned int n;
	gnutls_privkey_t key;
};

static _Atomic(struct pair *) current;
static struct timespec cert_time, key_time;

static int read_datum(const char *path, struct buf *text, gnutls_datum_t *ret, struct err *e)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC); /* certbot's are links */
	int r = fd < 0 ? -errno : file_read_fd(fd, FILE_MAX, text);

	if (r)
		return err_set(e, r, "%s: %s", path, strerror(-r));
	*ret = (gnutls_datum_t){ (unsigned char *)text->data, (unsigned int)text->len };
	return 0;
}

static int read_chain(struct pair *p, const char *path, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	gnutls_datum_t datum;
	int r = read_datum(path, &text, &datum, e);

	if (r)
		return r;
	p->n = CHAIN_MAX;
	r = gnutls_pcert_list_import_x509_raw(p->chain, &p->n, &datum, GNUTLS_X509_FMT_PEM, 0);
	if (r < 0)
		return err_set(e, -EBADMSG, "%s: %s", path, gnutls_strerror(r));
	return 0;
}

static int read_key(struct pair *p, const char *path, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	gnutls_datum_t datum;
	int r = read_datum(path, &text, &datum, e);

	if (r)
		return r;
	r = gnutls_privkey_init(&p->key);
	if (r >= 0)
		r = gnutls_privkey_import_x509_raw(p->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	if (r < 0)
		return err_set(e, -EBADMSG, "%s: %s", path, gnutls_strerror(r));
	return 0;
}

/* Signs something with the key and verifies it with the certificate. */
static int check_pair(struct pair *p, const char *key_file, struct err *e)
{
	gnutls_datum_t text = { (unsigned char *)"pvewarden", 9 }, signature = {};
	gnutls_sign_algorithm_t how;
	int r;

	how = gnutls_pk_to_sign(
		(gnutls_pk_algorithm_t)gnutls_privkey_get_pk_algorithm(p->key, NULL),
		GNUTLS_DIG_SHA256);
	if (gnutls_privkey_get_pk_algorithm(p->key, NULL) == GNUTLS_PK_EDDSA_ED25519)
		how = GNUTLS_SIGN_EDDSA_ED25519;
	r = gnutls_privkey_sign_data2(p->key, how, 0, &text, &signature);
	if (r >= 0)
		r = gnutls_pubkey_verify_data2(p->chain[0].pubkey, how, 0, &text, &signature);
	gnutls_free(signature.data);
	if (r < 0)
		return err_set(e, -EINVAL, "%s is not the key of the certificate", key_file);
	return 0;
}

static void pair_free(struct pair *p)
{
	for (unsigned int i = 0; i < p->n; i++)
		gnutls_pcert_deinit(&p->chain[i]);
	if (p->key)
		gnutls_privkey_deinit(p->key);
	free(p);
}

static struct timespec changed_at(const char *path)
{
	struct stat st;

	return stat(path, &st) ? (struct timespec){} : st.st_mtim;
}

int tls_load(const char *cert_file, const char *key_file, struct err *e)
{
	struct pair *p = xcalloc(1, sizeof(*p));
	int r;

	cert_time = changed_at(cert_file);
	key_time = changed_at(key_file);
	r = read_chain(p, cert_file, e);
	if (r)
		p->n = 0;
	if (!r)
		r = read_key(p, key_file, e);
	if (!r)
		r = check_pair(p, key_file, e);
	if (r) {
		pair_free(p);
		return r;
	}
	p->older = atomic_load(&current);
	atomic_store(&current, p);
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int tls_refresh(const char *cert_file, const char *key_file, struct err *e)
{
	int r;

	if (same_time(changed_at(cert_file), cert_time) &&
	    same_time(changed_at(key_file), key_time))
		return 0;
	r = tls_load(cert_file, key_file, e);
	return r ? r : 1;
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *ca, int n_ca,
		 const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **pcert,
		 unsigned int *pcert_length, gnutls_privkey_t *key)
{
	struct pair *p = atomic_load(&current);

	(void)session;
	(void)ca;
	(void)n_ca;
	(void)algorithms;
	(void)n_algorithms;
	if (!p)
		return -1;
	*pcert = p->chain;
	*pcert_length = p->n;
	*key = p->key;
	return 0;
}
