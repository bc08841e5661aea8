/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/encode.h"
#include "base/name.h"

/*
 * Names that carry power on some distribution, own files there, or are about to be created by a
 * package. Sorted, so that an addition finds its place; the search is linear because it is rare.
 */
static const char *const reserved[] = {"_apt", "_chrony", "abrt", "adm", "admin", "administrator",
    "apache", "audio", "audit", "avahi", "backup", "bin", "cdrom", "chrony", "containerd",
    "crontab", "daemon", "dbus", "dialout", "dip", "disk", "dnsmasq", "docker", "ec2-user", "fax",
    "floppy", "ftp", "fuse", "games", "gdm", "gnats", "group", "halt", "incus", "incus-admin",
    "input", "irc", "kmem", "kvm", "landscape", "libvirt", "libvirt-qemu", "list", "lock", "lp",
    "lpadmin", "lxd", "mail", "man", "messagebus", "microk8s", "mysql", "named", "netdev", "news",
    "nfsnobody", "nginx", "nobody", "nogroup", "nscd", "nslcd", "ntp", "operator", "passwd",
    "plugdev", "podman", "polkitd", "postfix", "postgres", "prism", "prism-central", "prism-keys",
    "prism-saml", "prism-sudo", "prism-sync", "prism-users", "proxy", "redis", "render", "root",
    "rpc", "rpcuser", "saned", "sasl", "scanner", "sgx", "shadow", "shutdown", "slurm", "snap",
    "src", "ssh", "sshd", "sss", "sssd", "ssm-user", "staff", "statd", "sudo", "sudoers", "sync",
    "sys", "syslog", "systemd", "systemd-bus-proxy", "systemd-coredump", "systemd-journal",
    "systemd-network", "systemd-oom", "systemd-resolve", "systemd-timesync", "tape", "tcpdump",
    "toor", "tss", "tty", "ubuntu", "users", "utmp", "uucp", "uuidd", "vboxusers", "video", "voice",
    "wheel", "wireshark", "www", "www-data"};

/* Key types that Prism registers, and that sshd accepts today. */
static const char *const key_types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521", "ssh-rsa", "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com"};

static bool lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

bool name_reserved(const char *s)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (!strcmp(s, reserved[i]))
			return true;
	return false;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool username_valid(const char *s)
{
	size_t n = strnlen(s, USERNAME_MAX + 1);

	if (n < 2 || n > USERNAME_MAX || (!lower(s[0]) && s[0] != '_'))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!lower(s[i]) && !digit(s[i]) && s[i] != '_' && s[i] != '-')
			return false;
	return !has_prefix(s, "p-") && !has_prefix(s, "g-") && !has_prefix(s, "systemd-") &&
	       !name_reserved(s);
}

bool slug_valid(const char *s)
{
	size_t n = strnlen(s, SLUG_MAX + 1);

	if (n < 2 || n > SLUG_MAX || !lower(s[0]) || s[n - 1] == '-')
		return false;
	for (size_t i = 1; i < n; i++)
		if (!lower(s[i]) && !digit(s[i]) && s[i] != '-')
			return false;
	return n < 4 || strcmp(s + n - 3, "-ro") != 0;
}

bool groupname_valid(const char *s)
{
	char slug[SLUG_MAX + 1];
	size_t n = strnlen(s, USERNAME_MAX + 1);

	if (!strcmp(s, GROUP_PRISM_USERS) || !strcmp(s, GROUP_PRISM_SUDO))
		return true;
	if (n < 4 || n > USERNAME_MAX || (!has_prefix(s, "p-") && !has_prefix(s, "g-")))
		return false;
	n -= 2;
	if (s[0] == 'p' && n > 3 && !strcmp(s + 2 + n - 3, "-ro"))
		n -= 3;
	if (n > SLUG_MAX)
		return false;
	memcpy(slug, s + 2, n);
	slug[n] = '\0';
	return slug_valid(slug);
}

bool id_allowed(uint32_t id, uint32_t first, uint32_t last)
{
	if (id < ID_FLOOR || id < first || id > last)
		return false;
	/* 60001-60577 homed and containers, 61184-65519 DynamicUser, 65534 nobody, 65535 (uid_t)-1
	 */
	if (id >= 60000 && id <= 65535)
		return false;
	return id < UINT32_MAX - 1;
}

/* U+200B-U+200F, U+202A-U+202E, U+2066-U+2069, U+FEFF: unseen, and able to show a name as another.
 */
static bool turns_direction(const unsigned char *s)
{
	if (s[0] == 0xef)
		return s[1] == 0xbb && s[2] == 0xbf;
	if (s[0] != 0xe2)
		return false;
	if (s[1] == 0x80)
		return (s[2] >= 0x8b && s[2] <= 0x8f) || (s[2] >= 0xaa && s[2] <= 0xae);
	return s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
}

/* Steps over one well-formed UTF-8 sequence (RFC 3629); 0 if it is none or a control character. */
static size_t utf8_printable(const unsigned char *s)
{
	static const struct {
		unsigned char first, last, second_min, second_max, len;
	} forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] == 0xc2 && s[1] < 0xa0) /* C1 controls */
		return 0;
	if (turns_direction(s))
		return 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (s[1] < forms[i].second_min || s[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return forms[i].len;
	}
	return 0;
}

bool gecos_valid(const char *s)
{
	size_t n = strnlen(s, GECOS_MAX + 1);

	if (n > GECOS_MAX)
		return false;
	for (size_t i = 0; i < n;) {
		size_t step = utf8_printable((const unsigned char *)s + i);

		if (step == 0 || s[i] == ':')
			return false;
		i += step;
	}
	return true;
}

static bool atom_char(char c)
{
	return lower(c) || (c >= 'A' && c <= 'Z') || digit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* RFC 1123 labels; the last one has a letter, so that an address is never taken for a name. */
static bool domain_valid(const char *s)
{
	size_t label = 0, labels = 0;
	bool letter = false;

	for (; *s; s++) {
		if (*s == '.') {
			if (label == 0 || s[-1] == '-')
				return false;
			label = 0;
			letter = false;
			continue;
		}
		if (!lower(*s | 0x20) && !digit(*s) && (*s != '-' || label == 0))
			return false;
		letter |= lower(*s | 0x20);
		labels += label == 0;
		if (++label > 63)
			return false;
	}
	return label > 0 && s[-1] != '-' && labels >= 2 && letter;
}

bool email_valid(const char *s)
{
	size_t n = strnlen(s, EMAIL_MAX + 1);
	const char *at = strchr(s, '@');

	if (n > EMAIL_MAX || !at || at == s || at - s > 64)
		return false;
	for (const char *p = s; p < at; p++) {
		bool dot = *p == '.' && p > s && p + 1 < at && p[-1] != '.';

		if (!dot && !atom_char(*p))
			return false;
	}
	return domain_valid(at + 1);
}

bool path_valid(const char *s)
{
	size_t n = strnlen(s, 256);

	if (n > 255 || s[0] != '/')
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == ':')
			return false;
		if (s[i] != '/')
			continue;
		const char *part = s + i + 1;

		if (part[0] == '/' ||
		    (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0')))
			return false;
	}
	return true;
}

/* The blob of a key begins with its own type as an SSH string (RFC 4253 §6.6). */
static bool key_blob_valid(const char *text, size_t len, const char *type)
{
	uint8_t blob[SSHKEY_LINE_MAX];
	ssize_t n = base64_decode(text, len, blob, sizeof(blob));
	size_t want = strlen(type);

	if (n < (ssize_t)(4 + want))
		return false;
	size_t said =
	    (size_t)blob[0] << 24 | (size_t)blob[1] << 16 | (size_t)blob[2] << 8 | blob[3];

	return said == want && !memcmp(blob + 4, type, want);
}

bool sshkey_line_valid(const char *s)
{
	if (strnlen(s, SSHKEY_LINE_MAX + 1) > SSHKEY_LINE_MAX)
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	for (size_t i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++) {
		size_t n = strlen(key_types[i]);

		if (strncmp(s, key_types[i], n) != 0 || s[n] != ' ')
			continue;
		return key_blob_valid(s + n + 1, strcspn(s + n + 1, " "), key_types[i]);
	}
	return false;
}
