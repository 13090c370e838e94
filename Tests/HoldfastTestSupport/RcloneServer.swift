internal import Glibc
package import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem

/// A real S3 server that replaces objects even if it is told not to: `rclone serve s3` on a directory.
package final class RcloneServer {
  private static let credentials = S3Credentials(
    accessKeyID: SeaweedFS.accessKeyID, secretKey: SeaweedFS.secretKey)

  /// The program, which `Scripts/install-engines` installs; `nil` when it is missing.
  package static let program: Path? = {
    let program = SeaweedFS.program?.parent?.appending("rclone")
    return program.flatMap { TestFiles.exists($0) ? $0 : nil }
  }()

  private let directory = TemporaryDirectory()
  private let process: RunningProcess
  private let port: UInt16

  package init() {
    guard let program = Self.program else { fatalError("there is no rclone: run Scripts/install-engines") }
    port = SeaweedFS.freePort()
    TestFiles.makeDirectory(directory.appending("data"))
    TestFiles.makeDirectory(directory.appending("data/orders"))
    var start = RunningProcess.Start([
      program.text, "serve", "s3", "--addr", "127.0.0.1:\(port)", "--auth-key",
      "\(Self.credentials.accessKeyID),\(Self.credentials.secretKey)", "--config", directory.appending("none").text,
      "--cache-dir", directory.appending("cache").text, directory.appending("data").text,
    ])
    start.environment["HOME"] = directory.path.text
    process = RunningProcess(start)
    for _ in 0..<600 where (try? store(isSingleWriter: true).names(below: "")) == nil { usleep(100_000) }
  }

  deinit { process.send(SIGKILL) }

  /// A location that is not used yet.
  package var location: String { "s3:http://127.0.0.1:\(port)/orders/\(UInt64.random(in: .min ... .max))/" }

  /// Returns a store below a prefix of its own.
  package func store(isSingleWriter: Bool) -> S3Store {
    var settings = S3Settings { _ in Self.credentials }
    settings.isSingleWriter = isSingleWriter
    let prefix = "\(UInt64.random(in: .min ... .max))/"
    return S3Store(
      HTTPServer(host: "127.0.0.1", port: port, isEncrypted: false), bucket: "orders", prefix: prefix,
      location: "s3:http://127.0.0.1:\(port)/orders/\(prefix)", settings, host: TestHost.make())
  }
}
