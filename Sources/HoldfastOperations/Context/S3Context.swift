internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

extension MachineContext {
  /// Returns the settings with which this machine reaches a bucket: from the configuration of a target, otherwise from
  /// the environment, in the variables that AWS defines.
  func s3Settings(_ configured: TargetSettings.S3?) throws -> S3Settings {
    let chain = S3CredentialChain(
      try credentialPlaces(configured), files: host.files, cancellation: host.cancellation)
    var settings = S3Settings { try chain.credentials($0) }
    settings.forget = { chain.forget($0) }
    settings.region = configured?.region ?? environment.text("AWS_REGION") ?? environment.text("AWS_DEFAULT_REGION")
    settings.isPathStyle = configured?.isPathStyle
    settings.certificates =
      try configured?.certificates ?? environment.text("HOLDFAST_CA_FILE").map { try environment.absolute($0) }
    settings.proxy = proxy
    settings.archiveStorageClass = configured?.archiveStorageClass
    settings.traffic = traffic
    settings.isArchive = { Keys.isArchive($0) }
    settings.lock =
      try environment.parsed("HOLDFAST_LOCK", "compliance:30 or governance:30") { ObjectLock($0) }
      ?? configured.flatMap { Self.lock($0) }
    settings.isLocked = { Keys.isLasting($0) }
    settings.versions =
      try environment.parsed("HOLDFAST_VERSIONS", "first or 2026-11-29T03:00:00Z") { VersionChoice($0) }
      ?? configured?.versions.flatMap { VersionChoice($0) } ?? .current
    settings.isSingleWriter =
      try configured?.isSingleWriter
      ?? environment.parsed("HOLDFAST_SINGLE_WRITER", "yes or no") { $0 == "yes" ? true : $0 == "no" ? false : nil }
      ?? false
    if let connections = configured?.connections { settings.connections = connections }
    return settings
  }

  /// The proxy that the variables name, under the names that other programs use.
  private var proxy: HTTPProxy? {
    func text(_ name: String) -> String? { environment.text(name) ?? environment.text(name.uppercased()) }
    return (text("https_proxy") ?? text("all_proxy")).map { HTTPProxy($0, exceptions: text("no_proxy") ?? "") }
  }

  private static func lock(_ configured: TargetSettings.S3) -> ObjectLock? {
    guard let mode = configured.lockMode.flatMap({ ObjectLock.Mode(rawValue: $0) }), let days = configured.lockDays
    else {
      return nil
    }
    return ObjectLock(mode, days: days)
  }

  private func credentialPlaces(_ configured: TargetSettings.S3?) throws -> S3CredentialPlaces {
    var places = S3CredentialPlaces(userID: environment.userID)
    places.file = configured?.credentialsFile
    places.allowedOfFile = try places.file.map { try keyFiles.allowedPermissions(of: $0) } ?? 0
    places.profile = configured?.profile ?? environment.text("AWS_PROFILE")
    places.namesWebIdentity =
      configured?.profile == nil && environment.text("AWS_WEB_IDENTITY_TOKEN_FILE") != nil
      && environment.text("AWS_ROLE_ARN") != nil
    if configured?.profile == nil, let id = environment.text("AWS_ACCESS_KEY_ID"),
      let secret = environment.text("AWS_SECRET_ACCESS_KEY")
    {
      places.variables = S3Credentials(
        accessKeyID: id, secretKey: secret, sessionToken: environment.text("AWS_SESSION_TOKEN"))
    }
    // A systemd unit of root has no HOME.
    let home = environment.home ?? environment.accountHome()
    places.usualFile =
      try environment.text("AWS_SHARED_CREDENTIALS_FILE").map { try environment.absolute($0) }
      ?? home?.appending(".aws/credentials")
    places.usualConfiguration =
      try environment.text("AWS_CONFIG_FILE").map { try environment.absolute($0) }
      ?? home?.appending(".aws/config")
    places.container = container
    if environment.text("AWS_EC2_METADATA_DISABLED")?.lowercased() != "true" {
      places.instance = environment.text("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254"
    }
    return places
  }

  /// The address from which a container of Amazon's gets its credentials, and the token for it.
  private var container: (address: String, token: String?)? {
    let relative = environment.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map { "http://169.254.170.2" + $0 }
    guard let address = relative ?? environment.text("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return nil }
    let file = environment.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").flatMap { try? environment.absolute($0) }
    let token = file.flatMap { try? host.files.open($0, .read).contents(max: 64 << 10) }
      .map { String(decoding: $0.filter { $0 > 0x20 }, as: UTF8.self) }
    return (address, token ?? environment.text("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
  }
}
