internal import FoundationEssentials
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The sources from which credentials are taken.
package struct S3CredentialPlaces: Sendable {
  /// A file that the operator has named. If there is one, nothing else is asked.
  package var file: Path?
  /// The section of the credentials files that the operator has named; `nil` for `default`.
  package var profile: String?
  /// The credentials in the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
  package var variables: S3Credentials?
  /// True if variables name a role, for which AWS gives keys in return for the token in a file. holdfast does not ask
  /// for them, and takes no other identity instead.
  package var namesWebIdentity = false
  /// The usual credentials file of this user.
  package var usualFile: Path?
  /// The usual configuration file of this user, which may have credentials, too.
  package var usualConfiguration: Path?
  /// The address at which a container asks for its credentials, with the value of the header `Authorization`.
  package var container: (address: String, token: String?)?
  /// The address at which a virtual machine asks for its credentials; `nil` not to ask.
  package var instance: String?
  /// The most time for a command that prints keys.
  package var commandTimeout = TimeSpan.minutes(1)
  /// The most time for an answer of a metadata server.
  package var metadataTimeout = TimeSpan.seconds(10)
  /// The user of this process.
  package var userID: UInt32
  /// The permissions on `file` that others may have, as systemd gives them to a credential.
  package var allowedOfFile: UInt32 = 0

  package init(userID: UInt32) { self.userID = userID }
}

/// Finds credentials in the order of AWS: a named file, variables, the usual files, the container, the virtual machine.
/// It asks again for temporary ones before they end.
package final class S3CredentialChain: Sendable {
  private static let fileBytesMax = 1 << 20
  /// The time before their end at which temporary credentials are replaced.
  private static let margin = TimeSpan.minutes(5)
  /// The time after a failure before the source is asked again.
  private static let pause = TimeSpan.seconds(10)

  /// The credentials that were found last.
  private struct Found {
    let credentials: S3Credentials
    /// The time at which new ones were last asked for in vain.
    var failed: Timestamp?
  }

  private let places: S3CredentialPlaces
  private let files: FileSystem
  private let cancellation: Cancellation
  private let found = Mutex<Found?>(nil)

  package init(_ places: S3CredentialPlaces, files: FileSystem, cancellation: Cancellation = Cancellation()) {
    (self.places, self.files, self.cancellation) = (places, files, cancellation)
  }

  /// Returns the credentials for a request at a time.
  /// - Throws: `S3Error.noCredentials` if there are none.
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
        // The old credentials are good until they end. The metadata server may answer before that.
        guard let old, isOldGood else { throw error }
        found?.failed = now
        return old
      }
    }
  }

  /// Forgets credentials that a server no longer accepts, so that others are looked for.
  package func forget(_ refused: S3Credentials) {
    found.withLock { found in
      if found?.credentials == refused { found = nil }
    }
  }

  private func look() throws -> S3Credentials {
    if let file = places.file {
      let rule = SecretFileRule(othersMayNot: .useIt, except: places.allowedOfFile, userID: places.userID)
      guard let credentials = try credentials(try finding(in: file, rule)) else {
        throw S3Error.noProfile(file: "\(file)", profile: profile)
      }
      return credentials
    }
    if let variables = places.variables { return variables }
    guard !places.namesWebIdentity else { throw S3Error.webIdentityNotRead }
    if let credentials = try lookInUsualFiles() { return credentials }
    let metadata = MetadataService(timeout: places.metadataTimeout)
    if let container = places.container { return try metadata.ask(container.address, token: container.token) }
    if let instance = places.instance, let credentials = try metadata.askInstance(instance) { return credentials }
    throw S3Error.noCredentials(places: "neither variables nor a file nor a server of metadata has some")
  }

  // MARK: Files

  private var profile: String { places.profile ?? "default" }

  /// Returns the credentials of the usual files. Both are read before one counts: the second may say that the profile
  /// means another identity than the keys of the first.
  private func lookInUsualFiles() throws -> S3Credentials? {
    let rule = SecretFileRule(othersMayNot: .writeIt, userID: places.userID)
    let usual = [places.usualFile, places.usualConfiguration].compactMap(\.self)
    let findings = try usual.compactMap { file in
      try files.statusIfPresent(of: file) == nil ? nil : try finding(in: file, rule)
    }
    if let profile = places.profile, findings.isEmpty {
      throw S3Error.noSuchProfile(profile, files: usual.map(\.description))
    }
    for finding in findings {
      if let credentials = try credentials(finding) { return credentials }
    }
    return nil
  }

  /// Returns what a file says about the profile; `nil` if it does not have it.
  private func finding(in path: Path, _ rule: SecretFileRule) throws -> CredentialsFile.Finding? {
    let file = try files.open(path, .read)
    if let objection = rule.objection(to: path, try file.status()) { throw S3Error.unsafeFile(objection) }
    let bytes = try file.contents(max: Self.fileBytesMax)
    let finding = CredentialsFile(String(decoding: bytes, as: UTF8.self)).finding(profile)
    if case .unread(let key) = finding { throw S3Error.profileNotRead(file: "\(path)", profile: profile, key: key) }
    return finding
  }

  private func credentials(_ finding: CredentialsFile.Finding?) throws -> S3Credentials? {
    switch finding {
    case .keys(let credentials): credentials
    case .command(let command): try run(command)
    case .unread, .nothing, nil: nil
    }
  }

  // MARK: Commands

  /// The output of a command, as in "Sourcing credentials with an external process" in the documentation of AWS.
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
    let name = "the credential_process of the profile \(Path(profile))"
    let bytes = try ShellCommand(command, name: name).output(cancellation, timeout: places.commandTimeout)
    guard let output = try? JSONDecoder().decode(Output.self, from: Data(bytes)) else {
      throw S3Error.noCredentials(places: "\(name) prints no keys")
    }
    return S3Credentials(
      accessKeyID: output.accessKeyID, secretKey: output.secretKey, sessionToken: output.token,
      end: output.end.flatMap { TimeText.parse($0) })
  }
}
