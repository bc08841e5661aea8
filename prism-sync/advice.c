/* SPDX-License-Identifier: MIT */
#include "advice.h"

static const char *const advices[] = {
    [HTTP_PROXY_LOGIN] = "Set proxy_file in prism.conf(5) to a file with USER:PASSWORD@HOST:PORT.",
    [HTTP_PROXY_REFUSED] = "Whoever runs the proxy can allow it.",
    [HTTP_PROXY_AWAY] = "Correct the proxy in prism.conf(5).",
    [HTTP_PROXY_CERTIFICATE] = "Name the file of its authority: ca_file in prism.conf(5).",
    [HTTP_CA_FILE] = "The user prism-sync must be able to read it, and it must be PEM.",
    [HTTP_CERT_UNKNOWN] = "Name the file of its authority: ca_file in prism.conf(5).",
    [HTTP_CERT_EXPIRED] = "If that time is right, tell the administrator of the service.",
    [HTTP_CERT_EARLY] = "If that time is wrong: timedatectl set-ntp true.",
    [HTTP_CERT_NAME] = "Is something else between this host and the service?",
    [HTTP_PIN] = "If it was replaced on purpose, enrol this host again.",
};

const char *advice_for(enum http_trouble t)
{
	size_t n = sizeof(advices) / sizeof(*advices);

	return (size_t)t < n && advices[t] ? advices[t] : "";
}
