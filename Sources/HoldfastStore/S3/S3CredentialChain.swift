internal import FoundationEssentials
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The places in which credentials are looked for.
package struct S3CredentialPlaces: Sendable {
  /// A file that the operator has named; nothing else is asked then.
  package var file: Path?
  /// The section of a file of credentials.
  package var profile = "default"
  /// The variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
  package var variables: S3Credentials?
  /// The usual file of credentials of this user.
  package var usualFile: Path?
  /// The usual file of configuration of this user, which may have credentials, too.
  package var usualConfiguration: Path?
  /// Where a container asks for its credentials, with the value of the header `Authorization`.
  package var container: (address: String, token: String?)?
  /// Where a virtual machine asks for its credentials; `nil` to ask nobody.
  package var instance: String?

  package init() {}
}

/// Finds credentials, in the order of AWS: a named file, variables, the usual files, the container, the virtual
/// machine. Temporary ones are asked for again before they end.
package final class S3CredentialChain: Sendable {
  private static let fileBytesMax = 1 << 20
  /// Temporary credentials are not used in their last minutes.
  private static let margin = TimeSpan.minutes(5)
  /// A server of metadata is on this machine, or not at all.
  private static let connectTimeout = TimeSpan.seconds(1)

  /// So long nobody is asked again who could not answer.
  private static let pause = TimeSpan.seconds(10)

  /// What was found last.
  private struct Found {
    let credentials: S3Credentials
    /// When other ones were last asked for in vain.
    var failed: Timestamp?
  }

  private let places: S3CredentialPlaces
  private let files: FileSystem
  private let cancellation: Cancellation
  private let found = Mutex<Found?>(nil)

  package init(_ places: S3CredentialPlaces, files: FileSystem, cancellation: Cancellation = Cancellation()) {
    (self.places, self.files, self.cancellation) = (places, files, cancellation)
  }

  /// The credentials for a request at a time.
  /// - Throws: `S3Error.noCredentials` when there are none.
  package func credentials(_ now: Timestamp) throws -> S3Credentials {
    try found.withLock { found in
      if let found, found.credentials.end.map({ $0 - now > Self.margin }) ?? true { return found.credentials }
      let old = found?.credentials
      let isOldGood = old?.end.map { now < $0 } ?? false
      if let old, isOldGood, let failed = found?.failed, now - failed < Self.pause { return old }
      do {
        let new = try look()
        found = Found(credentials: new)
        return new
      } catch {
        // The old ones are good as long as they have not ended; the server of metadata may answer before that.
        guard let old, isOldGood else { throw error }
        found?.failed = now
        return old
      }
    }
  }

  private func look() throws -> S3Credentials {
    if let file = places.file {
      guard let credentials = try read(file) else {
        throw S3Error.noProfile(file: "\(file)", profile: places.profile)
      }
      return credentials
    }
    if let variables = places.variables { return variables }
    for file in [places.usualFile, places.usualConfiguration] {
      if let file, try files.statusIfPresent(of: file) != nil, let credentials = try read(file) { return credentials }
    }
    if let container = places.container {
      return try ask(container.address, header: container.token.map { ("Authorization", $0) })
    }
    if let instance = places.instance, let credentials = try askInstance(instance) { return credentials }
    throw S3Error.noCredentials(places: "neither variables nor a file nor a server of metadata has some")
  }

  private func read(_ file: Path) throws -> S3Credentials? {
    let bytes = try files.open(file, .read).contents(max: Self.fileBytesMax)
    switch CredentialsFile(String(decoding: bytes, as: UTF8.self)).finding(places.profile) {
    case .keys(let credentials): return credentials
    case .command(let command): return try run(command)
    case .unread(let key): throw S3Error.profileNotRead(file: "\(file)", profile: places.profile, key: key)
    case nil: return nil
    }
  }

  // MARK: Commands

  /// What a command prints: "Sourcing credentials with an external process" in the documentation of AWS.
  private struct Output: Decodable {
    let accessKeyID: String
    let secretKey: String
    let token: String?
    let end: String?

    private enum CodingKeys: String, CodingKey {
      case accessKeyID = "AccessKeyId"
      case secretKey = "SecretAccessKey"
      case token = "SessionToken"
      case end = "Expiration"
    }
  }

  private func run(_ command: String) throws -> S3Credentials {
    let bytes = try ShellCommand(command).output(cancellation)
    guard let output = try? JSONDecoder().decode(Output.self, from: Data(bytes)) else {
      throw S3Error.noCredentials(places: "the command of the profile \(places.profile) prints no keys")
    }
    return S3Credentials(
      accessKeyID: output.accessKeyID, secretKey: output.secretKey, sessionToken: output.token,
      end: output.end.flatMap { TimeText.parse($0) })
  }

  // MARK: Servers of metadata

  /// What they answer.
  private struct Answer: Decodable {
    let accessKeyID: String
    let secretKey: String
    let token: String
    let end: String

    private enum CodingKeys: String, CodingKey {
      case accessKeyID = "AccessKeyId"
      case secretKey = "SecretAccessKey"
      case token = "Token"
      case end = "Expiration"
    }
  }

  private func ask(_ address: String, header: (name: String, value: String)?) throws -> S3Credentials {
    let body = try text(address, header: header)
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
      let end = TimeText.parse(answer.end)
    else { throw S3Error.noCredentials(places: "the server of metadata answers without keys") }
    return S3Credentials(
      accessKeyID: answer.accessKeyID, secretKey: answer.secretKey, sessionToken: answer.token, end: end)
  }

  /// Asks as the second version of Amazon's metadata service wants it.
  /// - Returns: `nil` when there is no such server, or the machine has no role.
  private func askInstance(_ base: String) throws -> S3Credentials? {
    let tokenHeader = ("X-aws-ec2-metadata-token-ttl-seconds", "21600")
    guard let token = try? text("\(base)/latest/api/token", "PUT", header: tokenHeader) else { return nil }
    let header = ("X-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))
    let roles = "\(base)/latest/meta-data/iam/security-credentials/"
    guard let names = try? text(roles, header: header),
      let role = String(decoding: names, as: UTF8.self).split(whereSeparator: \.isNewline).first
    else { return nil }
    return try ask(roles + role, header: header)
  }

  private func text(
    _ address: String, _ method: String = "GET", header: (name: String, value: String)?
  ) throws -> [UInt8] {
    guard let url = HTTPAddress(address) else {
      throw S3Error.noCredentials(places: "the address of the server of metadata is none")
    }
    var request = HTTPRequest(method, url)
    if let header { request.headers = [header] }
    var client = HTTPClient()
    client.connectTimeout = Self.connectTimeout
    return try client.send(request).body
  }
}
