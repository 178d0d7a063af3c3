/** Made by `scripts/dashboard-plugin.ts` while the command is built. */
declare module 'virtual:dashboard' {
  export const script: string;
  export const style: string;
}
