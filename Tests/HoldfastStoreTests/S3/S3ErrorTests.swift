import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What a server of S3 refuses is told in words that help, and only what another try may change is tried again.
@Suite(.timeLimit(.minutes(30))) struct S3ErrorTests {
  private enum Call { case read, write, writeInParts, list, remove, removeAll, removeMany }

  private func make(_ call: Call, _ store: any Store) throws {
    switch call {
    case .read: _ = try store.open("key")
    case .write: try write([1, 2, 3], "key", store)
    case .writeInParts: try write([UInt8](repeating: 5, count: 13 << 20), "key", store)
    case .list: _ = try store.names(below: "")
    case .remove: try store.remove("key")
    case .removeAll: try store.removeAll(below: "")
    case .removeMany: try store.removeBriefly(["a", "b"])
    }
  }

  private func write(_ bytes: [UInt8], _ key: String, _ store: any Store) throws {
    let writer = try store.create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  /// The error of a call whose requests have such answers.
  private func error(_ call: Call, _ server: PretendS3, _ effect: PretendS3.Fault.Effect) -> (any OperatorError)? {
    server.fail(.init("", "", effect, times: 100))
    defer { server.fail() }
    do {
      try make(call, server.store())
      return nil
    } catch {
      return error as? any OperatorError
    }
  }

  private func check(
    _ call: Call, _ effect: PretendS3.Fault.Effect, _ message: String, hint: String, _ scope: ErrorScope = .machine,
    _ status: HoldfastModel.ExitStatus = .failed, on server: PretendS3,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = error(call, server, effect)
    let text = error?.description.replacing(server.location, with: "PLACE") ?? "no error"
    #expect(text == "\(message)\nHINT: \(hint)", sourceLocation: sourceLocation)
    #expect(error?.scope == scope && error?.exitStatus == status, sourceLocation: sourceLocation)
    #expect(PretendS3.secrets.allSatisfy { !text.contains($0) }, sourceLocation: sourceLocation)
  }

  // MARK: Refusals that stay

  @Test func refusalsThatStay() {
    let server = PretendS3()
    let again =
      "They come from `credentials-file`, else AWS_ACCESS_KEY_ID, else the profile in ~/.aws, else the container or the machine. Try the same ones with `aws sts get-caller-identity`."
    for code in ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"]
    {
      // Servers repeat the key that they were given.
      let more = "<AWSAccessKeyId>AKIDHARMLESS</AWSAccessKeyId>"
      check(.read, .refuse(403, code, more), "PLACE refuses the credentials (\(code))", hint: again, on: server)
    }
    let policy =
      "Let the policy of this user permit it: `holdfast init --append-only-recipe` prints that of a host that takes backups."
    for (call, action) in [
      (Call.read, "s3:GetObject"), (.write, "s3:PutObject"), (.writeInParts, "s3:PutObject"), (.list, "s3:ListBucket"),
    ] {
      for effect in [PretendS3.Fault.Effect.refuse(403, "AccessDenied"), .answer(403), .answer(401)] {
        check(call, effect, "PLACE does not permit \(action) with these credentials", hint: policy, on: server)
      }
    }
    check(
      .list, .answer(403, headers: [("Date", "Sun, 29 Nov 2026 01:00:00 GMT")], body: Self.skewed),
      "the clock of this machine is off: in PLACE it is Sun, 29 Nov 2026 01:00:00 GMT",
      hint: "Set the clock (`timedatectl`), and run the same command again.", on: server)
    check(
      .read, .refuse(403, "InvalidObjectState", "<StorageClass>DEEP_ARCHIVE</StorageClass>"),
      "key in PLACE lies in the storage class DEEP_ARCHIVE, and cannot be read before it is thawed",
      hint: "Let the provider restore it (`aws s3api restore-object`), and run the same command again.", on: server)
    let look = "Compare host, bucket, region and `path-style` with the server, and read its log of this time."
    check(
      .read, .refuse(400, "EntityTooLarge"), "PLACE answered with status 400 (EntityTooLarge)",
      hint: look, on: server)
    check(
      .writeInParts, .refuse(400, "EntityTooSmall"), "PLACE answered with status 400 (EntityTooSmall)",
      hint: look, on: server)
    check(
      .read, .answer(418, body: "<html>a teapot</html>"), "PLACE answered with status 418",
      hint: look, on: server)
    check(
      .write, .refuse(501, "NotImplemented"), "PLACE does not implement s3:PutObject",
      hint: "This server lacks it: store the repository on another one.", on: server)
  }

  /// Not every 403 is a mistake of the policy.
  @Test func refusalsThatSayMore() {
    let server = PretendS3()
    let room =
      "Raise the quota of the bucket or of its user, or prune from a host that may remove; then run the same command again."
    for call in [Call.write, .writeInParts] {
      check(call, .refuse(403, "QuotaExceeded"), "no space is left in PLACE (QuotaExceeded)", hint: room, on: server)
      check(call, .answer(507), "no space is left in PLACE (status 507)", hint: room, on: server)
    }
    let said =
      "User: arn:aws:iam::1234:user/shop is not authorized to perform: kms:GenerateDataKey with key AKIDHARMLESS"
    check(
      .write, .answer(403, body: "<Error><Code>AccessDenied</Code><Message>\(said)</Message></Error>"),
      "PLACE does not permit s3:PutObject with these credentials: \(said.replacing("AKIDHARMLESS", with: "…"))",
      hint:
        "Let the policy of this user permit it: `holdfast init --append-only-recipe` prints that of a host that takes backups.",
      on: server)
    let long = error(
      .write, server,
      .answer(
        403, body: "<Error><Code>AccessDenied</Code><Message>\(String(repeating: "no ", count: 999))</Message></Error>")
    )
    #expect((long?.message.utf8.count ?? .max) < 400)
  }

  /// A real server, an hour behind or ahead of this machine.
  @Test(.requires(.seaweedFS), arguments: [-3600, 3600]) func aClockThatIsOffByAnHourIsTold(seconds: Int64) {
    let store = SeaweedFS.shared.store(host: TestHost.make(clock: TestHost.clock(ahead: seconds)))
    for call in [Call.list, .read, .write, .writeInParts] {
      let error = #expect(throws: S3Error.self) { try make(call, store) }
      if case .clockIsOff(store.location, _) = error { continue }
      Issue.record("\(call): \(String(describing: error))")
    }
  }

  private static let skewed = "<Error><Code>RequestTimeTooSkewed</Code></Error>"

  @Test func mistakesOfTheConfiguration() {
    let server = PretendS3()
    check(
      .list, .refuse(404, "NoSuchBucket"), "the bucket of PLACE does not exist",
      hint: "Make the bucket first; holdfast makes none, so that a mistyped name is told.", .usage, .usage, on: server)
    check(
      .write, .refuse(404, "NoSuchBucket"), "the bucket of PLACE does not exist",
      hint: "Make the bucket first; holdfast makes none, so that a mistyped name is told.", .usage, .usage, on: server)
    check(
      .list, .refuse(400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"),
      "the bucket of PLACE is in another region: eu-central-1",
      hint: "Say its region with `region: eu-central-1` in the configuration, or AWS_REGION.", .usage, .usage,
      on: server)
    check(
      .write, .refuse(400, "IllegalLocationConstraintException"), "the bucket of PLACE is in another region",
      hint: "Say its region with `region: REGION` in the configuration, or AWS_REGION.", .usage, .usage, on: server)
  }

  /// Nobody has configured the other host, which may be one that only this machine can reach.
  @Test func redirectionsAreToldAndNotFollowed() {
    let server = PretendS3()
    let elsewhere = PretendS3()
    for (status, code) in [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (302, ""), (308, "")] {
      let body = "<Error><Code>\(code)</Code><Endpoint>127.0.0.1</Endpoint></Error>"
      let place = (name: "Location", value: elsewhere.location.replacing("s3:", with: ""))
      check(
        .list, .answer(status, headers: [("x-amz-bucket-region", "eu-central-1"), place], body: body),
        "the bucket of PLACE is at another host, that of the region eu-central-1",
        hint: "Name the host of its region in the location; Amazon's is s3.eu-central-1.amazonaws.com.", .usage,
        .usage, on: server)
      check(
        .write, .answer(status, headers: [place], body: body), "the bucket of PLACE is at another host",
        hint: "Name the host of its region in the location; Amazon's is s3.REGION.amazonaws.com.", .usage, .usage,
        on: server)
    }
    #expect(elsewhere.requests.isEmpty)
  }

  /// What cannot be read is damage: it is told as such.
  @Test func whatIsMissing() {
    check(
      .read, .refuse(404, "NoSuchKey"), "key is missing in PLACE",
      hint: "Run `holdfast verify` to see what is missing.", .repository, .dataLoss, on: PretendS3())
  }

  /// A proxy or a gateway without its storage answers 404 too. That says nothing about the object.
  @Test(arguments: [
    PretendS3.Fault.Effect.answer(404, body: "<html>not here</html>"), .refuse(404, "NoSuchHostedZone"),
  ])
  func whatDidNotComeFromTheBucketIsNoLoss(_ effect: PretendS3.Fault.Effect) {
    let server = PretendS3()
    server.fail(.init("", "", effect))
    let error = #expect(throws: StoreError.self) { try make(.read, server.store()) }
    guard case .unavailable = error else { Issue.record("\(String(describing: error))"); return }
  }

  @Test func refusedRemovals() {
    let server = PretendS3()
    let hint = StoreError.removalRefused(key: "", location: "", .s3).hint ?? ""
    for (call, key) in [(Call.remove, "key"), (.removeMany, "a")] {
      check(
        call, .refuse(403, "AccessDenied"), "\(key) may not be removed from PLACE", hint: hint, on: server)
    }
    for code in ["AccessDenied", "MethodNotAllowed", "ObjectLocked"] {
      let body = "<DeleteResult><Error><Key>shop/b</Key><Code>\(code)</Code></Error></DeleteResult>"
      check(.removeMany, .answer(200, body: body), "b may not be removed from PLACE", hint: hint, on: server)
    }
  }

  @Test func aServerCannotWriteIntoTheTerminal() throws {
    let server = PretendS3()
    let hostile = "\u{1b}[2J&#10;" + String(repeating: "x", count: 500)
    let body = "<Error><Code>\(hostile.replacing("\u{1b}", with: "é"))</Code></Error>"
    let message = try #require(error(.read, server, .answer(400, body: body))).message
    #expect(message.utf8.allSatisfy { (0x20..<0x7f).contains($0) })
    #expect(message.utf8.count < 200)
  }

  // MARK: Refusals for now

  private static let passing: [(status: Int, code: String)] = [
    (503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable"), (400, "RequestTimeout"),
    (409, "OperationAborted"), (409, "ConditionalRequestConflict"), (400, "BadDigest"), (400, "IncompleteBody"),
    (400, "XAmzContentSHA256Mismatch"), (429, "TooManyRequests"), (502, ""), (504, ""), (408, ""),
  ]

  @Test func whatIsRefusedForNowIsToldSo() {
    let server = PretendS3()
    for (status, code) in Self.passing {
      check(
        .write, code.isEmpty ? .answer(status, body: "<html>") : .refuse(status, code),
        "PLACE does not answer: status \(status)\(code.isEmpty ? "" : " (\(code))")",
        hint: "Nothing was found to be damaged. Run the same command again when the store can be reached.", .transient,
        on: server)
    }
  }

  @Test func whatIsRefusedForNowIsTriedAgain() throws {
    let server = PretendS3()
    for (status, code) in Self.passing {
      for call in [Call.write, .read, .list, .writeInParts, .removeMany, .remove]
      where call != .writeInParts || status == 503 {
        let time = TimelessRetry()
        server.fail()
        try server.store().remove("key")
        if call == .read { try make(.write, server.store()) }
        server.fail(.init("", "", code.isEmpty ? .answer(status) : .refuse(status, code), times: 3))
        #expect(throws: Never.self, "\(status) \(code), \(call)") {
          try make(call, RetryingStore(server.store(), time.retrier()))
        }
        #expect(time.waited > .zero, "\(status) \(code), \(call)")
      }
    }
  }

  @Test func whatStaysIsNotTriedAgain() {
    let server = PretendS3()
    for (status, code) in [
      (403, "AccessDenied"), (404, "NoSuchBucket"), (400, "ExpiredToken"), (501, "NotImplemented"),
    ] {
      let time = TimelessRetry()
      server.fail(.init("", "", .refuse(status, code), times: 100))
      let before = server.requests.count
      #expect(throws: S3Error.self) { try make(.write, RetryingStore(server.store(), time.retrier())) }
      // What is not implemented may be the checksum that is sent along: once more without it.
      #expect(server.requests.count == before + (status == 501 ? 2 : 1) && time.waited == .zero)
    }
  }
}
