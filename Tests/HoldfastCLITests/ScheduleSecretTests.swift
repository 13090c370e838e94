import HoldfastModel
import HoldfastTestSupport
import Testing

/// A schedule contains no secret, and who installs it is told which one the run will lack.
@Suite struct ScheduleSecretTests {
  private let tool = Tool()
  private let bucket = "s3:https://s3.example/bucket/shop/"

  private func install(_ options: [String], _ variables: [String: String]) -> ProcessResult {
    var start = tool.start(["schedule", "install", "--root", tool.directory.appending("root").text] + options)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment.merge(variables) { $1 }
    return RunningProcess(start).wait()
  }

  private func backup(to repository: String) -> [String] { ["--", "backup", "/srv/shop", "--repository", repository] }

  @Test(arguments: ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"], [[], ["--cron"]])
  func aProxyWithAPasswordIsRefused(_ variable: String, _ options: [String]) {
    install(options + backup(to: bucket), [variable: "http://me:hunter2@proxy.example:3128"]).expectRefusal(
      2, "\(variable) has a name and a password in it, and what a schedule contains can be seen by everyone",
      hint:
        "Unset \(variable), install again, and let the run have it from a file of mode 0600: `systemctl edit holdfast.service`, with [Service] and EnvironmentFile=FILE."
    )
    #expect(!TestFiles.exists(tool.directory.appending("root/etc")))
    #expect(install(options + backup(to: bucket), [variable: "http://proxy.example:3128"]).exitStatus == 0)
  }

  private static let keys = ["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hunter2"]

  private func warning(_ location: String) -> String {
    "holdfast: WARNING: the keys for \(location) are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of this shell, which the run will not have; name a file with `credentials-file` in the configuration\n"
  }

  /// Otherwise the first run fails at night.
  @Test func keysThatOnlyThisShellHasAreToldOf() {
    let result = install(backup(to: bucket), Self.keys)
    #expect(result.exitStatus == 0 && result.error == warning(bucket))
    #expect(install(backup(to: bucket), [:]).error == "")
    #expect(install(backup(to: "/backup"), Self.keys).error == "")
  }

  @Test(arguments: [("", true), (", credentials-file: /etc/keys", false), (", profile: shop", false)])
  func keysThatTheConfigurationNamesAreNotMissed(_ key: String, isTold: Bool) {
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(
      """
      repositories: {shop: {url: '\(bucket)'\(key)}}
      sources: {orders: {path: /srv/orders}}

      """, to: tool.configuration.appending("holdfast.yaml"))
    for command in [[], backup(to: bucket), ["--", "list", "-r", "shop"]] {
      let result = install(command, Self.keys)
      #expect(result.exitStatus == 0 && result.error == (isTold ? warning(bucket) : ""), "\(command): \(result.error)")
    }
  }
}
