import { createHash } from 'node:crypto';

export interface DashboardPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

/** The dashboard as one page that asks nothing of any other server, with a policy that lets it ask nothing else. */
export function createDashboardPage(parts: {
  readonly script: string;
  readonly style: string;
}): DashboardPage {
  // Inside a script element only this sequence could end it early.
  const script = parts.script.replaceAll('</script', '<\\/script');
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>mosaik</title>
<link rel="icon" href="data:,">
<style>${parts.style}</style>
</head>
<body>
<div id="app"></div>
<noscript>This page needs JavaScript; the same is at <a href="/v1/status">/v1/status</a>.</noscript>
<script type="module">${script}</script>
</body>
</html>
`;
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src '${sourceHash(script)}'`,
    `style-src '${sourceHash(parts.style)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { html, contentSecurityPolicy };
}

/** CSP Level 3 §2.3.1, hash-source. */
function sourceHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
