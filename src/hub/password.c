/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/password.h"

#include <errno.h>

#include <crypt.h>

#include "hub/digest.h"

enum { SALT_BYTES = 32 };

/* Of nobody's password; the same cost as what password_hash() makes. */
static const char nobody[] =
	"$y$j9T$8GQAcVS6fKyVcZAHwm1Pr0$Kc3kU4bbCvLuNcCNHRkoBmZQMiXjsxDZeGqrGCMVvi4";

int password_check(struct slice password, struct err *e)
{
	if (password.n < PASSWORD_MIN)
		return err_set(e, -EINVAL, "a password has at least %d characters", PASSWORD_MIN);
	if (password.n > PASSWORD_MAX)
		return err_set(e, -EINVAL, "a password has at most %d bytes", PASSWORD_MAX);
	for (size_t i = 0; i < password.n; i++)
		if (memchr("\0\r\n", password.p[i], 3))
			return err_set(e, -EINVAL, "a password is one line");
	return 0;
}

/* crypt() of a terminated copy that does not stay in memory. NULL when it failed. */
static bool crypt_text(struct slice password, const char *setting, char ret[PASSWORD_HASH_MAX])
{
	CLEANUP_FREE struct crypt_data *data = xcalloc(1, sizeof(*data));
	char copy[PASSWORD_MAX + 1] = "";
	const char *hash;
	bool fine;

	memcpy(copy, password.p, password.n);
	hash = crypt_r(copy, setting, data);
	fine = hash && hash[0] != '*' && strlen(hash) < PASSWORD_HASH_MAX;
	if (fine)
		memcpy(ret, hash, strlen(hash) + 1);
	explicit_bzero(copy, sizeof(copy));
	explicit_bzero(data, sizeof(*data));
	return fine;
}

int password_hash(struct slice password, char ret[PASSWORD_HASH_MAX], struct err *e)
{
	char salt[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	int r = password_check(password, e);

	if (r < 0)
		return r;
	digest_random(salt, sizeof(salt));
	if (!crypt_gensalt_rn("$y$", 0, salt, sizeof(salt), setting, sizeof(setting)) ||
	    !crypt_text(password, setting, ret))
		return err_set(e, -ENOTSUP, "this system's crypt(3) has no yescrypt");
	return 0;
}

bool password_matches(struct slice password, const char *hash)
{
	char got[PASSWORD_HASH_MAX] = "";
	bool fits = password.n <= PASSWORD_MAX && !memchr(password.p, 0, password.n);
	bool fine = crypt_text(fits ? password : SLICE("-"), hash ? hash : nobody, got) &&
		    digest_equal_text(got, hash ? hash : nobody);

	return fine && fits && hash;
}
