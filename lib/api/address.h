/* SPDX-License-Identifier: MIT */
#ifndef API_ADDRESS_H
#define API_ADDRESS_H

/*
 * Which addresses belong to the public network. For connections to where somebody else says: asked
 * of the address that a name was resolved to, at the moment of connecting, so that no answer of the
 * DNS can lead into our own network.
 */
#include <stdbool.h>
#include <sys/socket.h>

/*
 * False for loopback, private (RFC 1918, fc00::/7), link-local (with 169.254.169.254, where clouds
 * have their metadata), shared (100.64/10), multicast, broadcast, reserved and documentation
 * addresses, for 0/8 and ::, and for anything that is neither IPv4 nor IPv6. IPv6: true within
 * 2000::/3 only, without tunnels that carry an IPv4 address (Teredo, 6to4). An IPv4 address mapped
 * into IPv6, or translated (64:ff9b::/96), counts as what it is.
 */
bool address_is_public(const struct sockaddr *a);

#endif
