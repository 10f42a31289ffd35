/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <ctype.h>
#include <string.h>

#include "array/name.h"

/* What a FlashArray makes of a volume's serial: the vendor's part of an NAA 6 name is 24a937,
 * behind the type's digit 3 that multipath puts first; in an NGUID it stands in the middle (facts
 * D4). */
#define NAA_HEAD   "3624a9370"
#define NGUID_HEAD "00"
#define NGUID_OUI  "24a937"

enum { NGUID_SPLIT = 14 };

bool array_serial_ok(const char *serial)
{
	return strlen(serial) == ARRAY_SERIAL_LEN &&
	       strspn(serial, "0123456789ABCDEF") == ARRAY_SERIAL_LEN;
}

static char *put_lower(char *at, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*at++ = (char)tolower((unsigned char)from[i]);
	*at = '\0';
	return at;
}

void array_wwid_of(const char *serial, char ret[ARRAY_WWID_LEN + 1])
{
	char *at = put_lower(ret, NAA_HEAD, strlen(NAA_HEAD));

	(void)put_lower(at, serial, ARRAY_SERIAL_LEN);
}

void array_nguid_of(const char *serial, char ret[ARRAY_NGUID_LEN + 1])
{
	char *at = put_lower(ret, NGUID_HEAD, strlen(NGUID_HEAD));

	at = put_lower(at, serial, NGUID_SPLIT);
	at = put_lower(at, NGUID_OUI, strlen(NGUID_OUI));
	(void)put_lower(at, serial + NGUID_SPLIT, ARRAY_SERIAL_LEN - NGUID_SPLIT);
}
