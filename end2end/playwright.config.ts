import { defineConfig, devices } from "@playwright/test";

// Debian's Chromium; Playwright's own browsers are never downloaded.
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "specs",
  globalSetup: "./support/global-setup.ts",
  outputDir: "../target/end2end/results",
  snapshotPathTemplate: "baseline/{arg}{ext}",
  // Each file starts a Regrant of its own; two cores carry one of them and its browser.
  workers: 1,
  fullyParallel: false,
  forbidOnly: !!process.env.CI,
  // A browser that stalls once on a busy machine fails no run; what passes at the second try only is told as
  // flaky, and is to be looked at.
  retries: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  use: {
    ...devices["Desktop Chrome"],
    channel: undefined,
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    timezoneId: "UTC",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Nothing leaves this machine, whatever a page asks for.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
      ],
    },
  },
  // The canary looks through what all the others left behind.
  projects: [
    {
      name: "walks",
      // The stories take as long as all the rest: `make stories`.
      testIgnore: ["canary.spec.ts", ...(process.env.REGRANT_STORIES ? [] : ["stories.spec.ts"])],
    },
    { name: "canary", testMatch: "canary.spec.ts", dependencies: ["walks"] },
  ],
});
