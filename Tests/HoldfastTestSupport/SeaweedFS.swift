internal import Glibc
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// A real S3 server on loopback, which ends with the process of the tests. Every test has a prefix of its own in it.
package final class SeaweedFS: @unchecked Sendable {
  // Sendable without a lock, because nothing in it changes.

  package static let accessKeyID = "holdfast"
  package static let secretKey = "holdfastsecret"
  private static let credentials = S3Credentials(accessKeyID: accessKeyID, secretKey: secretKey)
  package static let bucket = "orders"
  /// The distance of the ports of its other protocol from those of HTTP.
  private static let otherPorts: UInt16 = 10_000

  /// The program, which `Scripts/install-engines` installs; `nil` when it is missing.
  package static let program: Path? = {
    let root = Path(#filePath).parent?.parent?.parent ?? .root
    let program = root.appending(".build/engines/bin/weed")
    return TestFiles.exists(program) ? program : nil
  }()

  private static let started = Mutex<SeaweedFS?>(nil)
  /// The process of the server, which removes its directory when it ends.
  private let process: RunningProcess
  package let port: UInt16

  /// The server of this process. The first test starts it.
  package static var shared: SeaweedFS {
    started.withLock { server in
      let shared = server ?? SeaweedFS()
      server = shared
      return shared
    }
  }

  private init() {
    guard let program = Self.program else { fatalError("there is no weed: run Scripts/install-engines") }
    var template = Array("/tmp/holdfast-weed-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("cannot make a directory: errno \(errno)") }
    let directory = Path(bytes: template.dropLast().map { UInt8(bitPattern: $0) })
    let base = Self.freePorts()
    port = base + 3
    TestFiles.write(Self.identities, to: directory.appending("s3.json"))
    TestFiles.makeDirectory(directory.appending("data"))
    TestFiles.write(Self.script, to: directory.appending("start"))
    var start = RunningProcess.Start([
      "bash", directory.appending("start").text, program.text, directory.text, String(base), String(Host.processID),
    ])
    start.environment["HOME"] = directory.text
    start.hasOwnSession = true
    process = RunningProcess(start)
    makeBucket(log: directory.appending("log"))
  }

  private static let identities = """
    {"identities": [
      {"name": "admin", "credentials": [{"accessKey": "\(credentials.accessKeyID)", "secretKey": "\(credentials.secretKey)"}],
       "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
      {"name": "reader", "credentials": [{"accessKey": "reader", "secretKey": "readersecret"}],
       "actions": ["Read", "List"]}]}
    """

  private static let script = """
    cd "$2"
    exec >log 2>&1
    # Without master.telemetry=false it reports to a host on the internet.
    "$1" -logtostderr=true server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$2/data" -master.telemetry=false \\
      -master.port=$3 -volume.port=$(($3 + 1)) -filer -filer.port=$(($3 + 2)) -filer.localSocket="$2/filer.sock" \\
      -s3 -s3.port=$(($3 + 3)) -s3.config="$2/s3.json" -s3.port.iceberg=0 -s3.port.lance=0 -s3.localSocket="$2/s3.sock" \\
      -master.volumeSizeLimitMB=64 -volume.max=1000 -volume.minFreeSpacePercent=0 &
    server=$!
    while kill -0 "$4" 2>/dev/null && kill -0 $server 2>/dev/null; do sleep 0.3; done
    kill -9 $server
    wait
    rm -rf "$2"
    """

  /// Returns the first of four ports that are free, together with those of the other protocol.
  private static func freePorts() -> UInt16 {
    while true {
      let base = UInt16.random(in: 10_000..<20_000)
      if (base..<base + 4).allSatisfy({ isFree($0) && isFree($0 + otherPorts) }) { return base }
    }
  }

  /// Returns a free port.
  static func freePort() -> UInt16 {
    while true {
      let port = UInt16.random(in: 10_000..<30_000)
      if isFree(port) { return port }
    }
  }

  private static func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  /// Waits until the server answers, and makes the bucket.
  private func makeBucket(log: Path) {
    for _ in 0..<600 {
      if (try? send(S3Request("PUT", nil)))?.isSuccess == true { return }
      usleep(100_000)
    }
    fatalError("weed does not start: \(String(decoding: TestFiles.read(log) ?? [], as: UTF8.self).suffix(2000))")
  }

  /// Returns the keys of the uncompleted multipart uploads below a prefix, without S3Store.
  package func unfinishedUploads(below prefix: String) throws -> [String] {
    let answer = try send(S3Request("GET", nil, query: [("uploads", ""), ("prefix", prefix)]))
    return String(decoding: answer.body, as: UTF8.self).split(separator: "<Upload>").dropFirst().compactMap { upload in
      upload.split(separator: "<Key>").last?.split(separator: "</Key>").first.map(String.init)
    }
  }

  /// Sends a request without S3Store, as another program with the same credentials.
  package func send(
    _ request: S3Request, to bucket: String = SeaweedFS.bucket, _ body: String = ""
  ) throws -> HTTPAnswer {
    let server = HTTPServer(host: "127.0.0.1", port: port, isEncrypted: false)
    // It does not compare the digest of the body with the body.
    let empty = Hex.decode("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") ?? []
    let message = S3Signer(region: "us-east-1").sign(
      request, path: "/\(bucket)" + (request.key.map { "/\($0)" } ?? ""), host: server.authority,
      bodyDigest: empty, credentials: Self.credentials, now: Clock.system.now())
    return try Array(body.utf8).withUnsafeBytes {
      try HTTPPool(server, host: TestHost.make()).exchange(message, body: $0)
    }
  }

  /// Returns a store below a prefix of its own.
  package func store(
    prefix: String = "\(UInt64.random(in: .min ... .max))/", bucket: String = SeaweedFS.bucket,
    host: Host = TestHost.make(),
    _ change: (inout S3Settings) -> Void = { _ in }
  ) -> S3Store {
    var settings = S3Settings { _ in Self.credentials }
    change(&settings)
    return S3Store(
      HTTPServer(host: "127.0.0.1", port: port, isEncrypted: false), bucket: bucket, prefix: prefix,
      location: location(prefix: prefix, bucket: bucket), settings, host: host)
  }

  /// - Parameter prefix: ends with `/`, or is empty.
  package func location(prefix: String, bucket: String = SeaweedFS.bucket) -> String {
    "s3:http://127.0.0.1:\(port)/\(bucket)/\(prefix)"
  }
}
