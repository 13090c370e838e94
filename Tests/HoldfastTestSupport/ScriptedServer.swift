internal import Glibc
package import HoldfastModel

/// A server on loopback that treats each request as the script of a test says, down to single bytes.
///
/// The script is Python and defines `answer(peer, request)`. The request has `method`, `target` (as it was sent),
/// `path` and `query` (decoded) and `headers` (by names in lower case). `peer.body()` reads its body, `peer.send(…)`
/// sends bytes or text as they are, and `peer.reply(status, headers, body)` a whole answer. The connection is kept
/// unless the function returns false.
package final class ScriptedServer: @unchecked Sendable {
  // Sendable without a lock, because nothing in it changes.

  package struct Request: Sendable {
    /// The number of the connection, from 1, in the order in which connections were made.
    package let connection: Int
    package let method: String
    package let target: String
    package let headers: [String: String]
  }

  /// The name for which the certificate of a server by TLS is made.
  package enum Certificate: String { case loopback, elsewhere }

  private let directory = TemporaryDirectory()
  private let process: RunningProcess
  package let port: UInt16

  /// - Parameter certificate: for a server with TLS; no authority has signed it.
  package init(_ script: String, certificate: Certificate? = nil) {
    let file = directory.appending("server.py")
    TestFiles.write(Self.beginning + "\n\n\n" + script + "\n\n\n" + Self.end, to: file)
    var arguments = ["python3", file.text, directory.path.text]
    if let certificate { arguments.append(certificate.rawValue) }
    process = RunningProcess(RunningProcess.Start(arguments))
    let port = directory.appending("port")
    for _ in 0..<15_000 where TestFiles.status(port) == nil { usleep(2000) }
    guard let number = UInt16(String(decoding: TestFiles.read(port) ?? [], as: UTF8.self)) else {
      process.send(SIGKILL)
      fatalError("the server does not start: \(process.wait().error)")
    }
    self.port = number
  }

  deinit { process.send(SIGKILL) }

  /// A file that the script reads as `directory + "/NAME"`.
  package func file(_ name: String) -> Path { directory.appending(name) }

  /// Its certificate, to be trusted.
  package var certificates: Path { file("certificates") }

  /// Every request so far, in the order of their arrival.
  package var requests: [Request] {
    String(decoding: TestFiles.read(file("requests")) ?? [], as: UTF8.self).split(separator: "\n").map { line in
      let fields = line.split(separator: "\t").map(String.init)
      let headers = fields.dropFirst(3).map { $0.split(separator: ": ", maxSplits: 1).map(String.init) }
      return Request(
        connection: Int(fields[0]) ?? 0, method: fields[1], target: fields[2],
        headers: Dictionary(headers.map { ($0[0], $0.count > 1 ? $0[1] : "") }) { $1 })
    }
  }

  private static let beginning = """
    import base64, hashlib, json, os, socket, ssl, sys, threading, time, urllib.parse

    directory, lock = sys.argv[1], threading.Lock()


    class Request:
        def __init__(self, head):
            lines = head.decode("latin-1").split("\\r\\n")
            self.method, self.target, _ = lines[0].split(" ")
            self.path = urllib.parse.unquote(self.target.split("?")[0])
            query = self.target.partition("?")[2]
            self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}


    class Peer:
        def __init__(self, connection, number):
            self.connection, self.number, self.rest, self.left = connection, number, bytearray(), 0

        def receive(self):
            more = self.connection.recv(1 << 20)
            if not more:
                raise ConnectionError
            self.rest += more

        def take(self, count):
            while len(self.rest) < count:
                self.receive()
            taken = bytes(self.rest[:count])
            del self.rest[:count]
            return taken

        def request(self):
            self.body()
            while b"\\r\\n\\r\\n" not in self.rest:
                self.receive()
            request = Request(self.take(self.rest.index(b"\\r\\n\\r\\n") + 4)[:-4])
            self.left = int(request.headers.get("content-length", 0))
            fields = [str(self.number), request.method, request.target]
            with lock, open(directory + "/requests", "a") as file:
                file.write("\\t".join(fields + [f"{name}: {value}" for name, value in request.headers.items()]) + chr(10))
            return request

        def body(self):
            count, self.left = self.left, 0
            return self.take(count)

        def send(self, data):
            self.connection.sendall(data.encode() if isinstance(data, str) else data)

        def reply(self, status, headers={}, body=b"", method="GET"):
            body = body.encode() if isinstance(body, str) else body
            lines = {"Content-Length": len(body), **headers}
            head = "".join(f"{name}: {value}\\r\\n" for name, value in lines.items())
            self.send(f"HTTP/1.1 {status} Said\\r\\n{head}\\r\\n".encode() + (b"" if method == "HEAD" else body))
    """

  private static let end = """
    def serve(connection, number, context):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            peer = Peer(connection, number)
            while answer(peer, peer.request()) is not False:
                pass
        except (OSError, ValueError):
            pass
        finally:
            connection.close()


    def certificate(name):
        import datetime, ipaddress
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key, me = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "me")])
        now = datetime.datetime.utcnow()
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([loopback if name == "loopback" else x509.DNSName("elsewhere.example")])
        builder = x509.CertificateBuilder(me, me, key.public_key(), 1, now, now + datetime.timedelta(1))
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        plain = serialization.NoEncryption()
        with open(directory + "/certificates", "wb") as file:
            file.write(signed)
        with open(directory + "/pem", "wb") as file:
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            file.write(signed + pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory + "/pem")
        return context


    context = certificate(sys.argv[2]) if len(sys.argv) > 2 else None
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(directory + "/port.unfinished", "w") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(directory + "/port.unfinished", directory + "/port")
    number = 0
    while True:
        connection, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(connection, number, context), daemon=True).start()
    """
}
