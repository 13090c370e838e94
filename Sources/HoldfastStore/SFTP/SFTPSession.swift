internal import HoldfastSystem
internal import Synchronization

/// A connection that is made when it is needed, and made anew when it was lost.
final class SFTPSession: Sendable {
  private struct State {
    var link: SFTPLink?
    var wasConnected = false
  }

  private let login: SFTPLogin
  private let host: Host
  private let patience: SFTPPatience
  private let traffic: Traffic
  private let state = Mutex(State())

  init(_ login: SFTPLogin, _ host: Host, _ patience: SFTPPatience, _ traffic: Traffic) {
    (self.login, self.host, self.patience, self.traffic) = (login, host, patience, traffic)
  }

  deinit { state.withLock { $0.link }?.connection.close() }

  /// What is known of the server; `nil` before the first connection.
  var features: SFTPFeatures? { state.withLock { $0.link?.features } }

  var processID: Int32? {
    state.withLock { $0.link }.flatMap { $0.connection.isAlive ? $0.connection.processID : nil }
  }

  /// The connection. Others wait while it is being made.
  func link() throws -> SFTPLink {
    try state.withLock { state in
      if let link = state.link, link.connection.isAlive { return link }
      let link = try connect(isFirst: !state.wasConnected)
      (state.link, state.wasConnected) = (link, true)
      return link
    }
  }

  private func connect(isFirst: Bool) throws -> SFTPLink {
    let connection = SFTPConnection(try login.connect(), host, patience, traffic) { [login] end in
      login.error(end, isFirst: isFirst)
    }
    do {
      var features = SFTPFeatures(try connection.start())
      if features.has(.limits) {
        let numbers = try connection.send(.limits).wait().numbers(4)
        (features.readBytes, features.writeBytes) = (SFTPFeatures.bytes(numbers[1]), SFTPFeatures.bytes(numbers[2]))
      }
      return SFTPLink(connection: connection, features: features)
    } catch let violation as SFTPViolation {
      connection.end()
      throw login.error(.violation(violation.finding, beginning: ""), isFirst: isFirst)
    } catch let failure as SFTPAnswer.Failure {
      connection.end()
      throw login.error(.violation("it refuses to tell its limits: \(failure.text)", beginning: ""), isFirst: isFirst)
    }
  }
}

/// A connection, and what its server can do.
struct SFTPLink: Sendable {
  let connection: SFTPConnection
  let features: SFTPFeatures

  func send(_ request: SFTPRequest, _ payload: UnsafeRawBufferPointer? = nil) throws -> SFTPReply {
    try connection.send(request, payload)
  }
}

/// What a server can do beyond version 3.
struct SFTPFeatures: Sendable, Equatable {
  /// What every server takes, in bytes.
  private static let bytesMin = 32 << 10
  /// What OpenSSH takes, in bytes; the rest of a packet is for names.
  private static let bytesMax = 255 << 10
  private let names: Set<String>
  /// The most bytes of a file in one request.
  var readBytes = bytesMin
  var writeBytes = bytesMin

  init(_ extensions: [String: String]) { names = Set(extensions.keys) }

  func has(_ name: SFTPExtension) -> Bool { names.contains(name.rawValue) }

  /// - Parameter told: by the server; 0 for no limit.
  static func bytes(_ told: UInt64) -> Int {
    told == 0 ? bytesMax : Int(min(UInt64(bytesMax), max(1024, told)))
  }
}

/// A file or directory that the server has opened. It is closed with this object.
final class SFTPHandle: Sendable {
  let link: SFTPLink
  let bytes: [UInt8]

  init(_ bytes: [UInt8], _ link: SFTPLink) { (self.bytes, self.link) = (bytes, link) }

  deinit {
    // Nobody waits for the answer.
    if isUsable { _ = try? link.send(.close(bytes)) }
  }

  /// A handle ends with its connection.
  var isUsable: Bool { link.connection.isAlive }
}
