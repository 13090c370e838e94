internal import Glibc
internal import HoldfastModel

/// A server on loopback that answers as the path says, and records all requests.
package final class TestServer {
  package struct Request: Sendable {
    package let method: String
    package let path: String
    package let agent: String
    package let type: String
    package let body: String
  }

  private let directory = TemporaryDirectory()
  private let process: RunningProcess
  /// `http://127.0.0.1:PORT`, or https.
  package let address: String

  /// - Parameter isSecure: true for TLS, with a certificate that no authority has signed.
  package init(isSecure: Bool = false) {
    let script = directory.appending("server.py")
    TestFiles.write(Self.script, to: script)
    let start = RunningProcess.Start(["python3", script.text, directory.path.text] + (isSecure ? ["tls"] : []))
    process = RunningProcess(start)
    let port = directory.appending("port")
    for _ in 0..<15_000 where TestFiles.status(port) == nil { usleep(2000) }
    let number = String(decoding: TestFiles.read(port) ?? [], as: UTF8.self)
    if number.isEmpty { fatalError("the server does not start: \(process.wait().error)") }
    address = (isSecure ? "https" : "http") + "://127.0.0.1:" + number
  }

  deinit { process.send(SIGKILL) }

  /// All requests, in order.
  package var requests: [Request] {
    let lines = (TestFiles.read(directory.appending("requests")) ?? []).split(separator: UInt8(ascii: "\n"))
    return lines.map { line in
      // Fields are in hexadecimal digits, because a body may contain anything.
      let fields = String(decoding: line, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
      let texts = fields.map { String(decoding: Hex.decode($0.dropFirst()) ?? [], as: UTF8.self) }
      return Request(method: texts[0], path: texts[1], agent: texts[2], type: texts[3], body: texts[4])
    }
  }

  private static let script = """
    import datetime, http.server, os, ssl, sys, threading, time

    directory, lock, tries = sys.argv[1], threading.Lock(), {}


    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def note(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fields = [self.command, self.path, self.headers.get("User-Agent", ""), self.headers.get("Content-Type", "")]
            texts = [field.encode() for field in fields] + [body]
            with lock:
                tries[self.path] = tries.get(self.path, 0) + 1
                with open(directory + "/requests", "a") as file:
                    file.write(" ".join("x" + text.hex() for text in texts) + chr(10))

        def answer(self, status, headers=(), body=b"done"):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.note()
            kind = self.path.split("/")[1]
            if kind == "silent":
                time.sleep(3600)
            elif kind == "endless":
                self.answer(200)
                while True:
                    self.wfile.write(bytes(65536))
            elif kind == "garbage":
                self.wfile.write(b"what?" + bytes(range(256)))
            elif kind == "gone":
                self.connection.close()
            elif kind == "broken" or (kind == "flaky" and tries[self.path] < 3):
                self.answer(500)
            elif kind == "unknown":
                self.answer(404)
            elif kind == "file":
                self.answer(302, [("Location", "file:///etc/passwd")])
            elif kind == "moved":
                self.answer(302, [("Location", "/ok/moved")])
            elif kind == "away":
                self.answer(307, [("Location", self.path[len("/away/"):])])
            elif kind == "round":
                self.answer(302, [("Location", self.path)])
            else:
                self.answer(200)

        do_POST = do_PUT = do_GET


    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments):
            pass


    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 2:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.OID_COMMON_NAME, "me")])
        now = datetime.datetime.utcnow()
        certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(1))
        signed = certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        with open(directory + "/pem", "wb") as file:
            file.write(signed + pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory + "/pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(directory + "/port.unfinished", "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(directory + "/port.unfinished", directory + "/port")
    server.serve_forever()
    """
}
