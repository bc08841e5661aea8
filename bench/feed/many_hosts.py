#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""many_hosts.py SOCKET HOST_TOKEN PERSON_TOKEN PROJECT COUNT: so many polls wait for one project's
feed; then the project changes. Prints the milliseconds until the first, the middle and the last
of them has its answer, counted from the moment the change was sent."""
import http.client, json, selectors, socket, sys, time

path, host, person, project, count = sys.argv[1:5] + [int(sys.argv[5])]


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)


def ask(method, url, token, body=None):
    c = Unix('localhost')
    headers = {'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'}
    c.request(method, url, body, headers)
    r = c.getresponse()
    return r.status, r.read()


status, data = ask('GET', '/api/v1/hosts/self/feed?manifest=0&wait=0', host)
assert status == 200, status
frames, at = [], 0
while at < len(data):
    n = int.from_bytes(data[at:at + 4], 'little')
    frames.append(data[at + 4:at + 4 + n])
    at += 4 + n
number = lambda m, o: int.from_bytes(m[o:o + 8], 'little')
manifest = number(frames[0], 60)
if len(frames) < 2:
    status, data = ask('GET', f'/api/v1/hosts/self/feed?manifest={manifest}&wait=0', host)
    frames.append(data[4:])
full = frames[1]
have = f'{full[28:44].hex()}:{number(full, 44)}:{number(full, 60)}'
request = (f'GET /api/v1/hosts/self/feed?manifest={manifest}&have={have}&wait=60 HTTP/1.1\r\n'
           f'Host: localhost\r\nAuthorization: Bearer {host}\r\n\r\n').encode()

poll = selectors.EpollSelector()
for _ in range(count):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(request)
    poll.register(s, selectors.EVENT_READ)
time.sleep(1 + count / 1000)
assert not poll.select(0), 'a poll did not wait'
times, start = [], time.monotonic()
status, _ = ask('PATCH', '/api/v1/projects/' + project, person, json.dumps({'contact': f'Dr. {start}'}))
assert status == 200, status
while len(times) < count and time.monotonic() - start < 30:
    for key, _ in poll.select(1):
        head = key.fileobj.recv(65536)
        assert b' 200 ' in head[:20], head[:100]
        times.append((time.monotonic() - start) * 1e3)
        poll.unregister(key.fileobj)
        key.fileobj.close()
assert len(times) == count, len(times)
print(f'{times[0]:.1f} {times[count // 2]:.1f} {times[-1]:.1f}')
