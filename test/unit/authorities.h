/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Root certificates of clusters, which say which cluster it is. */

#define CA_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define CA_END	 "-----END CERTIFICATE-----\n"

/* As Proxmox makes them, with a UUID. */
#define PVE_CA                                                               \
	CA_BEGIN                                                             \
	"MIICQzCCAemgAwIBAgIUK67wSByp/7VC6LFBZqbp+d02UsowCgYIKoZIzj0EAwIw\n" \
	"djEkMCIGA1UEAwwbUHJveG1veCBWaXJ0dWFsIEVudmlyb25tZW50MS0wKwYDVQQL\n" \
	"DCQwRDhBMUMyRS0zYjRmLTRjNWQtOGU2Zi03YThiOWMwZDFlMmYxHzAdBgNVBAoM\n" \
	"FlBWRSBDbHVzdGVyIE1hbmFnZXIgQ0EwIBcNMjYxMTIxMTQzMTQ4WhgPMjEyNjEw\n" \
	"MjgxNDMxNDhaMHYxJDAiBgNVBAMMG1Byb3htb3ggVmlydHVhbCBFbnZpcm9ubWVu\n" \
	"dDEtMCsGA1UECwwkMEQ4QTFDMkUtM2I0Zi00YzVkLThlNmYtN2E4YjljMGQxZTJm\n" \
	"MR8wHQYDVQQKDBZQVkUgQ2x1c3RlciBNYW5hZ2VyIENBMFkwEwYHKoZIzj0CAQYI\n" \
	"KoZIzj0DAQcDQgAEWDX6naaKwUMzuidERqSJGLD/k2FZQk6Z6ZhPcz4p7EXN0tbi\n" \
	"oJltddrEiBah0TKV4RYKu8oxmM6l3F5bE7KEF6NTMFEwHQYDVR0OBBYEFB9BDWdv\n" \
	"D0dEGjG3anfhMNVdc5MIMB8GA1UdIwQYMBaAFB9BDWdvD0dEGjG3anfhMNVdc5MI\n" \
	"MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAOhe/l7kAlL4svhq\n" \
	"U/EAgfTB7ik6+jFKR2RLqvmoBn77AiBzowIwczYTz7pzfOV6pMtn7yR0i8e/oNvA\n" \
	"pkAciI2p+A==\n" CA_END

/* An administrator's own. */
#define OWN_CA                                                               \
	CA_BEGIN                                                             \
	"MIIBnTCCAUOgAwIBAgIUN0ag6hJDPRQJQjAqAiIuw/ciOJYwCgYIKoZIzj0EAwIw\n" \
	"IzEPMA0GA1UEAwwGT3duIENBMRAwDgYDVQQKDAdFeGFtcGxlMCAXDTI2MTEyMTE0\n" \
	"MzE0OFoYDzIxMjYxMDI4MTQzMTQ4WjAjMQ8wDQYDVQQDDAZPd24gQ0ExEDAOBgNV\n" \
	"BAoMB0V4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARYNfqdporBQzO6\n" \
	"J0RGpIkYsP+TYVlCTpnpmE9zPinsRc3S1uKgmW112sSIFqHRMpXhFgq7yjGYzqXc\n" \
	"XlsTsoQXo1MwUTAdBgNVHQ4EFgQUH0ENZ28PR0QaMbdqd+Ew1V1zkwgwHwYDVR0j\n" \
	"BBgwFoAUH0ENZ28PR0QaMbdqd+Ew1V1zkwgwDwYDVR0TAQH/BAUwAwEB/zAKBggq\n" \
	"hkjOPQQDAgNIADBFAiEAlmadj+MeGi5eHsk4W/+Bdsl/Jv9EKOwJFfhsBn5JmlkC\n" \
	"IEcUZNQ85pfrTNLFGhtTI6nayksRHLpAaTqMrbflq1rA\n" CA_END
