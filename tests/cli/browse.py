#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A browser that clicks through our own pages: browse.py URL LOGIN PASSWORD approve|deny

Begins at URL, logs in where it is asked to, presses the button of that decision, and follows the
redirect wherever it leads. Prints the last page's text. The certificate is not looked at: the command
under test pins it, and this is the person's side.
"""
import html
import http.cookiejar
import re
import ssl
import sys
import urllib.parse
import urllib.request

url, login, password, decision = sys.argv[1:5]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
opener = urllib.request.build_opener(
    urllib.request.HTTPSHandler(context=context),
    urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), urllib.request.ProxyHandler({}))


def load(where, form=None):
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        answer = opener.open(urllib.request.Request(where, data=data), timeout=20)
    except urllib.error.HTTPError as e:
        answer = e
    return answer.geturl(), answer.read().decode(errors="replace")


def form_of(page, action):
    """Its fields, or None: forms do not nest."""
    for attributes, inside in re.findall(r"<form([^>]*)>(.*?)</form>", page, re.S):
        if re.search(r'action="%s"' % re.escape(action), attributes):
            fields = {}
            for tag in re.findall(r"<input[^>]*>", inside):
                name = re.search(r'name="([^"]*)"', tag)
                value = re.search(r'value="([^"]*)"', tag)
                if name:
                    fields[name.group(1)] = html.unescape(value.group(1) if value else "")
            return fields
    return None


at, page = load(url)
for _ in range(6):
    for action, answers in (("/login", {"login": login, "password": password}),
                            ("/device/decide", {"decision": decision}),
                            ("/oauth2/authorize", {"decision": decision})):
        fields = form_of(page, action)
        if fields is not None:
            fields.update({k: v for k, v in answers.items() if k != "password" or k in fields})
            at, page = load(urllib.parse.urljoin(at, action), fields)
            break
    else:
        break
print(re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))).strip())
